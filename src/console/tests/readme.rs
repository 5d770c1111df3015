//! What the README says of keys and themes is what the program says. `INSTA_UPDATE=always` writes it there, and the picture.

use crate::console::reference;
use std::path::Path;

/// Between which lines, and what stands there.
fn parts() -> [(&'static str, &'static str, String); 2] {
    [
        ("<!-- swarmdeck keys --markdown -->\n", "<!-- end of keys -->", reference::keys_markdown()),
        ("<!-- themes -->\n", "<!-- end of themes -->", reference::themes_markdown()),
    ]
}

#[test]
fn the_readme_says_of_keys_and_themes_what_the_program_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let writes = std::env::var("INSTA_UPDATE").is_ok_and(|how| how == "always");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let mut wanted = readme.clone();
    for (begin, end, text) in parts() {
        let from = wanted.find(begin).expect(begin) + begin.len();
        let to = from + wanted[from..].find(end).expect(end);
        wanted.replace_range(from..to, &format!("\n{text}\n"));
    }
    let picture = reference::svg().unwrap();
    let shown = std::fs::read_to_string(root.join("themes/gallery.svg")).unwrap_or_default();
    if writes && (readme != wanted || shown != picture) {
        std::fs::write(root.join("README.md"), &wanted).unwrap();
        std::fs::write(root.join("themes/gallery.svg"), &picture).unwrap();
        return;
    }
    let advice = "INSTA_UPDATE=always cargo test --lib console::tests::readme writes it";
    assert!(readme == wanted, "the README is not as the program says: {advice}");
    assert!(shown == picture, "themes/gallery.svg is not as the program draws it: {advice}");
}
