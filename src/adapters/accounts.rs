//! The users of this machine, from `/etc/passwd` and `/etc/group`, as SOPS's
//! statically linked build reads them.
#![expect(clippy::disallowed_methods, reason = "the home of the list of users")]

use std::fs;
use std::io;
use std::path::Path;

use crate::app::ports::{Account, FileError};

use super::system_error::file_error;

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// The user called `name`.
pub(super) fn find(name: &str) -> Result<Option<Account>, FileError> {
    Ok(of_lists(name, &read(USERS)?, &read(GROUPS)?))
}

/// The name of the user with this number.
pub(super) fn name_of(number: u32) -> Option<String> {
    let users = read(USERS).ok()?;
    let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<&str>>());
    let found = fields.find(|fields| fields.get(2).is_some_and(|uid| uid.parse() == Ok(number)))?;
    Some(found[0].to_owned())
}

fn read(path: &str) -> Result<String, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(file_error("open", Path::new(path), &error)),
    }
}

/// `name:password:uid:gid:comment:home:shell` and `group:password:gid:members`.
fn of_lists(name: &str, users: &str, groups: &str) -> Option<Account> {
    let fields: Vec<&str> =
        users.lines().map(|line| line.split(':').collect()).find(|fields: &Vec<&str>| fields[0] == name)?;
    let [_, _, uid, gid, _, home, ..] = fields[..] else { return None };
    let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
    let mut of = vec![gid];
    for line in groups.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if let [_, _, number, members, ..] = fields[..]
            && members.split(',').any(|member| member == name)
            && let Ok(number) = number.parse()
            && !of.contains(&number)
        {
            of.push(number);
        }
    }
    Some(Account { name: name.to_owned(), uid, gid, groups: of, home: home.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::of_lists;

    #[test]
    fn a_user_has_the_groups_that_list_it() {
        let users = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44:Web, the:/var/www:/bin/false\nbroken:x\n";
        let groups = "root:x:0:\nweb:x:44:\nlogs:x:4:root,web\nssl:x:7:web\nother:x:9:webby\n";
        let web = of_lists("web", users, groups).unwrap();
        assert_eq!((web.uid, web.gid, &web.groups[..], &web.home[..]), (33, 44, &[44, 4, 7][..], "/var/www"));
        for missing in ["we", "broken", ""] {
            assert!(of_lists(missing, users, groups).is_none(), "{missing}");
        }
    }
}
