//! Fills the pipeline descriptions of `pipelines/`.

/// Replaces every `{key}` of `text` by its value and drops comment lines, which
/// `gst_parse_launch` does not know.
///
/// Values come from validated configuration; inside quotes of a description,
/// [`quoted`] keeps them from ending the string.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let description: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let mut filled = description.join("\n");
    for (key, value) in values {
        filled = filled.replace(&format!("{{{key}}}"), value);
    }
    filled
}

/// Escapes a value that stands between double quotes in a description.
pub(super) fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_every_place_and_drops_comments() {
        let text = "# why\nfilesrc location=\"{path}\"\n  ! x width={width} height={width}";
        let filled = fill(text, &[("path", "/a b.mp4"), ("width", "640")]);
        assert_eq!(filled, "filesrc location=\"/a b.mp4\"\n  ! x width=640 height=640");
    }

    #[test]
    fn a_path_with_quotes_stays_one_value() {
        let path = r#"/tmp/a" ! filesink location="b"#;
        assert_eq!(quoted(path), r#"/tmp/a\" ! filesink location=\"b"#);
    }
}
