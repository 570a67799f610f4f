//! What somebody probably meant who wrote something that there is not.

/// How alike two words have to be, from 0 to 1 (Jaro): a slip of the fingers, not another
/// word.
const ALIKE: f64 = 0.8;

/// The one of `known` that is most like `word`, if one is.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let likeness = |it: &'k str| (strsim::jaro(word, it), it);
    let alike = known.into_iter().map(likeness).filter(|(likeness, _)| *likeness >= ALIKE);
    alike.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, it)| it)
}

/// The same as a question.
pub fn question<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(word, known).map(|it| format!("did you mean {it}?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_told_from_another_word() {
        let known = ["database", "database.password", "stripe.key", "ops/bot"];
        for (word, meant) in [
            ("databse", Some("database")),
            ("database.pasword", Some("database.password")),
            ("ops/bott", Some("ops/bot")),
            ("stripe", Some("stripe.key")),
            ("mail", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
