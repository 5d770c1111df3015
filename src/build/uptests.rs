//! Which uptests an artifact holds: the files of `uptests/<proc name>/`, by proc name (velociraptor.md part 5).

use crate::model::{Fault, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Names of uptests per proc name, in the order in which they run; names that start with `.` do not count.
pub fn uptests(artifact: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let cannot = |error: std::io::Error| Fault::failed(format!("the artifact {} cannot be read: {error}", artifact.display()));
    let file = std::fs::File::open(artifact).map_err(cannot)?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in archive.entries().map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let path = entry.path().map_err(cannot)?.into_owned();
        let parts: Vec<String> =
            path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).filter(|part| part != ".").collect();
        if let [top, proc, name] = parts.as_slice()
            && top == "uptests"
            && !name.starts_with('.')
        {
            all.entry(proc.clone()).or_default().push(name.clone());
        }
    }
    all.values_mut().for_each(|names| names.sort());
    Ok(all)
}
