//! Did you mean: the name that is closest to a mistyped one.

/// The known name that the given one was probably meant to be.
pub(crate) fn closest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    // One slip for a short name, more for a long one; further away is guessing.
    let allowed = 1 + given.chars().count() / 4;
    known
        .into_iter()
        .map(|name| (distance(&given, &name.to_lowercase()), name))
        .filter(|(slips, name)| {
            *slips <= allowed || (given.len() >= 3 && name.to_lowercase().starts_with(&given))
        })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, name)| name)
}

/// How many characters must be added, dropped, changed or swapped with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["prd", "staging", "development"];
        assert_eq!(closest("prod", known), Some("prd"));
        assert_eq!(closest("pdr", known), Some("prd"));
        assert_eq!(closest("stagign", known), Some("staging"));
        assert_eq!(closest("dev", known), Some("development"));
        assert_eq!(closest("billing", known), None);
        assert_eq!(closest("x", []), None);
    }
}
