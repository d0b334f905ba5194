//! Fills the pipeline descriptions of `pipelines/`.

/// Replaces every `{key}` of `text` by its value and drops comment lines, which
/// `gst_parse_launch` does not know. What stands in a value is not looked at again:
/// a path may hold `{flip}`.
///
/// Values come from validated configuration; inside quotes of a description,
/// [`quoted`] keeps them from ending the string.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let description: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let description = description.join("\n");
    let (mut filled, mut rest) = (String::new(), description.as_str());
    while let Some((before, place)) = rest.split_once('{') {
        filled.push_str(before);
        let known = values
            .iter()
            .find_map(|(key, value)| Some((value, place.strip_prefix(key)?.strip_prefix('}')?)));
        rest = match known {
            Some((value, after)) => {
                filled.push_str(value);
                after
            }
            None => {
                filled.push('{');
                place
            }
        };
    }
    filled.push_str(rest);
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
    fn what_stands_in_a_value_is_not_filled() {
        let values = [("path", "/tmp/{width}{path}"), ("width", "640")];
        assert_eq!(fill("{path} {width} {other} {", &values), "/tmp/{width}{path} 640 {other} {");
    }

    #[test]
    fn a_path_with_quotes_stays_one_value() {
        let path = r#"/tmp/a" ! filesink location="b"#;
        assert_eq!(quoted(path), r#"/tmp/a\" ! filesink location=\"b"#);
    }
}
