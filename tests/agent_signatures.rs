//! Signatures and lists of allowed signers, both ways against OpenSSH's own
//! `ssh-keygen`; and where the key to sign with is found.

use std::fs;
use std::path::{Path, PathBuf};

use base64::engine::general_purpose::STANDARD;
use leaflock::domain::agent::allowed_signers::AllowedSigners;
use leaflock::domain::agent::public_key::PublicKey;
use leaflock::domain::agent::sshsig::{self, KeptKey, SignatureError};
use leaflock::domain::secret::SecretBytes;

use crate::testkit::sandbox::{ALICE, Sandbox};

/// The kinds of key, with their sizes.
const KINDS: [(&str, &str); 4] = [("ed25519", "256"), ("ecdsa", "256"), ("rsa", "2048"), ("rsa", "4096")];

const NAMESPACE: &str = "leaflock-policy@v1";

/// A key made by `ssh-keygen`; returns its path.
fn make_key(sandbox: &Sandbox, name: &str, (kind, bits): (&str, &str), passphrase: &str) -> String {
    let path = sandbox.folder().join("home").join(name).to_str().unwrap().to_owned();
    let arguments = ["-q", "-t", kind, "-b", bits, "-N", passphrase, "-C", name, "-f", &path];
    sandbox.run(Path::new("ssh-keygen"), &arguments, b"").ok();
    path
}

fn public_of(path: &str) -> PublicKey {
    PublicKey::parse(fs::read_to_string(format!("{path}.pub")).unwrap().trim()).unwrap()
}

/// Whether `ssh-keygen -Y verify` takes a signature by `who` of a list.
fn keygen_verifies(sandbox: &Sandbox, list: &str, namespace: &str, signature: &str, message: &[u8]) -> bool {
    let list = sandbox.write("list", list);
    let signature = sandbox.write("signature", signature);
    let (list, signature) = (list.to_str().unwrap(), signature.to_str().unwrap());
    let arguments = ["-Y", "verify", "-f", list, "-I", "ana", "-n", namespace, "-s", signature];
    sandbox.run(Path::new("ssh-keygen"), &arguments, message).code == Some(0)
}

#[test]
fn ssh_keygen_verifies_what_is_signed_here_and_the_other_way_round() {
    let sandbox = Sandbox::new();
    for (index, kind) in KINDS.into_iter().enumerate() {
        for passphrase in ["", "two words"] {
            let path = make_key(&sandbox, &format!("key{index}{}", passphrase.len()), kind, passphrase);
            let public = public_of(&path);
            let kept = KeptKey::parse(&fs::read(&path).unwrap()).unwrap();
            assert_eq!((kept.public(), kept.is_encrypted()), (&public, !passphrase.is_empty()));
            let key = kept.unlock(&SecretBytes::new(passphrase.into())).unwrap();
            let list = format!("ana {public}\n");
            for message in [&b"policy\n"[..], b"", &[0xff; 70_000]] {
                let ours = key.sign(message, NAMESPACE).unwrap();
                assert!(keygen_verifies(&sandbox, &list, NAMESPACE, &ours, message), "{kind:?}");
                assert!(!keygen_verifies(&sandbox, &list, "git", &ours, message), "{kind:?}");
                assert!(!keygen_verifies(&sandbox, &list, NAMESPACE, &ours, b"other"), "{kind:?}");
            }
            if !passphrase.is_empty() {
                continue;
            }
            for hash in ["sha512", "sha256"] {
                let option = format!("hashalg={hash}");
                let arguments = ["-Y", "sign", "-q", "-O", &option, "-n", NAMESPACE, "-f", &path];
                let theirs = sandbox.run(Path::new("ssh-keygen"), &arguments, b"policy\n").text();
                let verified = sshsig::verify(&theirs, b"policy\n", NAMESPACE);
                assert_eq!(verified.as_ref(), Ok(&public), "{kind:?} {hash}");
                let line = sshsig::to_line(&theirs).unwrap();
                assert_eq!(sshsig::to_armour(&line), theirs, "{kind:?}");
                assert_eq!(sshsig::verify(&line, b"policy", NAMESPACE), Err(SignatureError::Mismatch));
                assert_eq!(sshsig::verify(&line, b"policy\n", "file"), Err(SignatureError::Namespace));
            }
        }
    }
}

#[test]
fn kinds_of_key_that_are_not_supported_are_refused_and_not_misread() {
    let sandbox = Sandbox::new();
    for kind in [("ecdsa", "384"), ("ecdsa", "521")] {
        let path = make_key(&sandbox, kind.1, kind, "");
        assert!(KeptKey::parse(&fs::read(&path).unwrap()).is_err());
        let arguments = ["-Y", "sign", "-q", "-n", NAMESPACE, "-f", &path];
        let theirs = sandbox.run(Path::new("ssh-keygen"), &arguments, b"m").text();
        assert_eq!(sshsig::verify(&theirs, b"m", NAMESPACE), Err(SignatureError::UnsupportedKey));
    }
    // A certificate in place of a key.
    let (ca, user) = (make_key(&sandbox, "ca", KINDS[0], ""), make_key(&sandbox, "user", KINDS[0], ""));
    let certify = ["-q", "-s", &ca, "-I", "id", "-n", "ana", &format!("{user}.pub")];
    sandbox.run(Path::new("ssh-keygen"), &certify, b"").ok();
    let certificate = fs::read_to_string(format!("{user}-cert.pub")).unwrap();
    assert!(PublicKey::parse(certificate.trim()).is_err());
}

/// A signature as a security key makes it (OpenSSH's `PROTOCOL.u2f`), here by a key in
/// memory; `ssh-keygen` is asked whether it is one.
#[test]
fn signatures_of_security_keys_verify_as_for_ssh_keygen() {
    const KIND: &[u8] = b"sk-ssh-ed25519@openssh.com";
    let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let pair = ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]);
    let public = [string(KIND), string(pair.public.as_ref()), string(b"ssh:")].concat();
    let data = ssh_key::SshSig::signed_data(NAMESPACE, ssh_key::HashAlg::Sha512, b"m").unwrap();
    let touched = [1, 0, 0, 0, 9];
    let hash = |bytes: &[u8]| ssh_key::HashAlg::Sha256.digest(bytes);
    let signed = [&hash(b"ssh:")[..], &touched, &hash(&data)].concat();
    let number = rsa::signature::Signer::<ssh_key::Signature>::sign(&pair, &signed);
    let signature = [string(KIND), string(number.as_bytes()), touched.to_vec()].concat();
    let blob = [
        b"SSHSIG\0\0\0\x01".to_vec(),
        string(&public),
        string(NAMESPACE.as_bytes()),
        string(b""),
        string(b"sha512"),
        string(&signature),
    ]
    .concat();
    let armour = sshsig::to_armour(&base64::Engine::encode(&STANDARD, &blob));
    let text = format!("sk-ssh-ed25519@openssh.com {}", base64::Engine::encode(&STANDARD, public));
    let sandbox = Sandbox::new();
    assert!(keygen_verifies(&sandbox, &format!("ana {text}\n"), NAMESPACE, &armour, b"m"));
    let key = sshsig::verify(&armour, b"m", NAMESPACE).unwrap();
    assert_eq!((key.to_string(), key.is_on_hardware()), (text, true));
    for at in 0..blob.len() {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        let line = base64::Engine::encode(&STANDARD, &changed);
        assert!(sshsig::verify(&line, b"m", NAMESPACE).is_err(), "byte {at}");
    }
}

/// A list's line and when, in which namespace, it is asked; `ssh-keygen` is asked
/// the same.
#[test]
fn lists_mean_what_they_mean_to_ssh_keygen() {
    let sandbox = Sandbox::new();
    let path = make_key(&sandbox, "ana", KINDS[0], "");
    let other = public_of(&make_key(&sandbox, "other", KINDS[0], ""));
    let public = public_of(&path);
    let key = KeptKey::parse(&fs::read(&path).unwrap()).unwrap().unlock(&SecretBytes::default()).unwrap();
    let options = [
        "",
        "namespaces=\"leaflock-policy@v1\" ",
        "namespaces=\"git,leaflock-*\" ",
        "namespaces=\"leaflock-*,!leaflock-policy@*\" ",
        "namespaces=\"!leaflock-policy@v1,*\" ",
        "namespaces=\"leaflock-policy@v?\" ",
        "namespaces=\"leaflock-policy\" ",
        "namespaces=\"*policy*v1*\" ",
        "NAMESPACES=\"leaflock-policy@v1\" ",
        "valid-after=\"20200101Z\" ",
        "valid-after=\"20260601120000Z\" ",
        "valid-after=\"20260601120001Z\" ",
        "valid-before=\"20260601120000Z\" ",
        "valid-before=\"202606011200UTC\" ",
        "valid-before=\"20260601115959Z\" ",
        "valid-after=\"20260101Z\",namespaces=\"leaflock-*\",valid-before=\"20261231Z\" ",
        "valid-after=\"20260101Z\",namespaces=\"git\",valid-before=\"20261231Z\" ",
    ];
    let lists = options.into_iter().flat_map(|options| {
        [
            format!("# comment\n\nana {options}{public} comment\n"),
            format!("\tbo,a?a \t {options}{public}\r\n"),
            format!("ana {options}{other}\n"),
            format!("ana {other}\n\"ana\" {options}{public}"),
        ]
    });
    let mut good = 0;
    for list in lists {
        let signature = key.sign(b"m", NAMESPACE).unwrap();
        let path = sandbox.write("list", &list);
        let file = sandbox.write("signature", &signature);
        let time = "-Overify-time=20260601120000Z";
        let arguments =
            ["-Y", "verify", time, "-f", path.to_str().unwrap(), "-I", "ana", "-n", NAMESPACE, "-s"];
        let arguments = [&arguments[..], &[file.to_str().unwrap()]].concat();
        let theirs = sandbox.run(Path::new("ssh-keygen"), &arguments, b"m").code == Some(0);
        let parsed = AllowedSigners::parse(list.as_bytes()).unwrap();
        let ours = parsed.allows(&public, NAMESPACE, "2026-06-01T12:00:00Z");
        assert_eq!(ours.is_some_and(|signer| signer.is_for("ana")), theirs, "{list}");
        good += usize::from(theirs);
    }
    assert!(good > 20, "{good}");
}

#[test]
fn what_is_refused_in_a_list_is_refused_by_ssh_keygen_too_or_documented() {
    let sandbox = Sandbox::new();
    let path = make_key(&sandbox, "ana", KINDS[0], "");
    let public = public_of(&path);
    let key = KeptKey::parse(&fs::read(&path).unwrap()).unwrap().unlock(&SecretBytes::default()).unwrap();
    let signature = key.sign(b"m", NAMESPACE).unwrap();
    for line in [
        format!("ana namespaces=leaflock-* {public}"),
        format!("ana namespaces=\"a\",namespaces=\"leaflock-*\" {public}"),
        format!("ana namespaces=\"leaflock-* {public}"),
        format!("ana nonsense {public}"),
        format!("ana cert-authority {public}"),
        format!("ana valid-after=\"2026\" {public}"),
        format!("ana valid-after=\"20260102Z\",valid-before=\"20260101Z\" {public}"),
        format!("ana namespaces=\"leaflock-*\", {public}"),
        "ana".to_owned(),
    ] {
        assert!(AllowedSigners::parse(line.as_bytes()).is_err(), "{line}");
        assert!(!keygen_verifies(&sandbox, &line, NAMESPACE, &signature, b"m"), "{line}");
    }
}

/// Seals `f.yaml` with a signature, and returns the public key that made it.
fn signer(sandbox: &Sandbox) -> Result<PublicKey, String> {
    sandbox.write("f.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--seal", "--age", ALICE.recipient, "f.yaml"]).ok();
    let signed = sandbox.ours(&["seal", "--yes", "--sign", "f.yaml"]);
    if signed.code != Some(0) {
        return Err(signed.stderr);
    }
    let signature = sandbox.ours(&["seal", "--print", "signature", "f.yaml"]).text();
    let message = sandbox.ours(&["seal", "--print", "message", "f.yaml"]).ok();
    Ok(sshsig::verify(&signature, &message, "leaflock-file@v1").unwrap())
}

#[test]
fn the_key_is_named_by_a_path_its_text_or_its_public_half() {
    let mut sandbox = Sandbox::with_key();
    let ana = make_key(&sandbox, "ana", KINDS[0], "");
    let text = fs::read_to_string(&ana).unwrap();
    let public = public_of(&ana);
    for named in [ana.clone(), format!("{ana}.pub"), text.clone(), text.trim().replace('\n', "\r\n")] {
        sandbox.set_env("LEAFLOCK_SIGNING_KEY", &named);
        assert_eq!(signer(&sandbox).as_ref(), Ok(&public));
    }
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", "/nowhere/key");
    let told = signer(&sandbox).unwrap_err();
    assert!(told.contains("/nowhere/key") && told.contains("no such file"), "{told}");
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &text[..200]);
    let told = signer(&sandbox).unwrap_err();
    assert!(told.contains("LEAFLOCK_SIGNING_KEY") && !told.contains(&text[60..80]), "{told}");
    // Kinds that are not verified here: files take them, for ssh-keygen does.
    let large = make_key(&sandbox, "large", ("ecdsa", "521"), "");
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &large);
    sandbox.write("f.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--seal", "--age", ALICE.recipient, "f.yaml"]).ok();
    sandbox.ours(&["seal", "--yes", "--sign", "f.yaml"]).ok();
    set_mode(Path::new(&ana), 0o644);
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana);
    let told = signer(&sandbox).unwrap_err();
    assert!(told.contains("others than its owner may read it"), "{told}");
}

#[test]
fn a_passphrase_is_asked_for_once_and_the_agent_before() {
    let mut sandbox = Sandbox::with_key();
    let ana = make_key(&sandbox, "ana", KINDS[0], "two words");
    let public = public_of(&ana);
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &ana);
    let told = signer(&sandbox).unwrap_err();
    assert!(told.contains("Enter passphrase for"), "{told}");
    let askpass = sandbox.write("askpass", "#!/bin/sh\necho asked >> \"$HOME/asked\"\necho two words\n");
    set_mode(&askpass, 0o755);
    sandbox.set_env("LEAFLOCK_ASKPASS", askpass.to_str().unwrap());
    assert_eq!(signer(&sandbox).as_ref(), Ok(&public));
    for name in ["x.yaml", "y.yaml", "z.yaml"] {
        sandbox.write(name, "a: 1\n");
    }
    fs::remove_file(sandbox.folder().join("home/asked")).unwrap();
    sandbox.write(".leaflock/config.yaml", "seal: true\nsign: true\n");
    sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "x.yaml", "y.yaml", "z.yaml"]).ok();
    assert_eq!(fs::read_to_string(sandbox.folder().join("home/asked")).unwrap(), "asked\n");
    // An agent that has the key spares the question.
    let agent = Agent::start(&sandbox);
    sandbox.set_env("SSH_AUTH_SOCK", agent.socket.to_str().unwrap());
    let script = format!("SSH_ASKPASS='{}' SSH_ASKPASS_REQUIRE=force ssh-add -q '{ana}'", askpass.display());
    sandbox.run(Path::new("sh"), &["-c", &script], b"").ok();
    fs::remove_file(sandbox.folder().join("home/asked")).unwrap();
    assert_eq!(signer(&sandbox).as_ref(), Ok(&public));
    sandbox.set_env("LEAFLOCK_SIGNING_KEY", &format!("key::{public}"));
    fs::remove_file(&ana).unwrap();
    assert_eq!(signer(&sandbox).as_ref(), Ok(&public));
    assert!(!sandbox.folder().join("home/asked").exists());
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

/// A running `ssh-agent`, ended when dropped.
struct Agent {
    process: std::process::Child,
    socket: PathBuf,
}

impl Agent {
    fn start(sandbox: &Sandbox) -> Self {
        let socket = sandbox.folder().join("home/agent");
        let mut command = std::process::Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(std::process::Stdio::piped());
        let mut process = command.spawn().unwrap();
        // Its first line comes when it listens.
        let mut line = String::new();
        let out = process.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        Self { process, socket }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
