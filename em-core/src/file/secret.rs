//! Secrets that stand in the file itself. What is refused is never repeated in the message.

use super::reader::Reader;

/// Words in names whose values are secrets.
const NAMES: [&str; 9] = [
    "authorization",
    "cookie",
    "api-key",
    "apikey",
    "token",
    "secret",
    "password",
    "passwd",
    "credential",
];

/// Whether the value of something of that name is a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let plain = name.to_lowercase().replace('_', "-");
    NAMES.iter().any(|word| plain.contains(word))
}

/// Whether a text is a secret written out. Placeholders and empty texts are none.
pub(super) fn is_inline(name: &str, text: &str) -> bool {
    is_secret_name(name) && !text.is_empty() && !text.contains("{{")
}

/// How to write it instead.
pub(super) fn remedy(name: &str) -> String {
    let variable: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("give a reference: {{from_env: {variable}}} or {{from_file: PATH}}")
}

/// Refuses a URL that holds a user or a password.
pub(super) fn check_url(reader: &Reader<'_>, text: &str) {
    let Some((_, rest)) = text.split_once("://") else {
        return;
    };
    let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
    if authority.contains('@') {
        reader.refuse_with(
            "the URL holds a user or a password",
            "take it out and send it as a header by reference: headers: {Authorization: {from_env: AUTHORIZATION}}",
        );
    }
}
