//! What a glob may be like, so that compiling it cannot fail: whoever can write a policy
//! writes globs, and a failure would be the end of the process.

/// Bytes of a glob.
const LONGEST: usize = 1024;

/// How deep alternatives stand in each other.
const DEEPEST: usize = 8;

/// Refuses what is too long or too deep to compile.
///
/// # Errors
/// What is wrong with it.
pub fn check(glob: &str) -> Result<(), &'static str> {
    if glob.len() > LONGEST {
        return Err("a pattern is longer than 1024 bytes");
    }
    let mut depth = 0_usize;
    for byte in glob.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err("a pattern has braces more than 8 deep in each other");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use globset::GlobBuilder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_too_deep_or_too_long_is_refused() {
        let nested = |depth: usize| format!("{}x{}", "{a,".repeat(depth), "}".repeat(depth));
        assert_eq!(check(&nested(DEEPEST)), Ok(()));
        for glob in [nested(DEEPEST + 1), nested(200), "{".repeat(100_000), "a".repeat(LONGEST + 1)] {
            check(&glob).unwrap_err();
        }
    }

    proptest! {
        /// Compiling panics where it fails.
        #[test]
        fn what_is_let_through_compiles(glob in "([*?a-c{},/]|\\[[a-z]-z\\]|\\*\\*/){0,400}") {
            if check(&glob).is_ok() && let Ok(glob) = GlobBuilder::new(&glob).build() {
                glob.compile_matcher().is_match("a");
            }
        }
    }
}
