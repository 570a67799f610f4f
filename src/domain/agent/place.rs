//! Where what belongs to a policy lies, from the folder that it governs. Names have `/`
//! between their segments on every system.

/// The folder of everything that is no source.
pub const OWN: &str = ".leaflock/";

/// The folder of derived files: one below it for each principal.
pub const DERIVED: &str = ".leaflock/agents/";

/// What a derived file is called from the folder of `principal`; `None` if it is none of
/// its files.
pub fn made_for<'n>(name: &'n str, principal: &str) -> Option<&'n str> {
    name.strip_prefix(DERIVED)?.strip_prefix(principal)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::made_for;

    #[test]
    fn derived_files_are_told_by_their_folder() {
        assert_eq!(made_for(".leaflock/agents/ops/a/s/x.yaml", "ops/a"), Some("s/x.yaml"));
        for other in ["ops", "ops/ab", "s/x.yaml"] {
            let found = made_for(".leaflock/agents/ops/a/s/x.yaml", other);
            assert!(found.is_none() || other == "ops", "{other}");
        }
        assert_eq!(made_for("ops/a/s/x.yaml", "ops/a"), None);
    }
}
