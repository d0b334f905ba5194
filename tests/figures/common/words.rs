//! How far a transcript is from its text.

/// Letters inserted, left out or replaced (Levenshtein distance, 1966).
pub fn distance(text: &str, read: &str) -> usize {
    let text: Vec<char> = text.chars().collect();
    let mut row: Vec<usize> = (0..=text.len()).collect();
    for (i, letter) in read.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, expected) in text.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *expected);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[text.len()]
}
