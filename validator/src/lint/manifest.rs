//! YAML documents with the line of everything in them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::Source;

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct ManifestError {
    /// The file.
    pub file: String,
    /// What is wrong, with line and column, and nothing of what stands there.
    pub reason: String,
}

/// One object of a manifest.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    /// The file.
    pub(super) file: String,
    /// The object.
    pub(super) value: Value,
    /// Line of what a JSON pointer leads to.
    lines: BTreeMap<String, usize>,
}

impl Manifest {
    /// All objects of a source; those of a `kind: List` each by itself.
    pub(super) fn read(source: &Source) -> Result<Vec<Self>, ManifestError> {
        let wrong = |e: serde_saphyr::Error| {
            // Without the lines around it: a folder of manifests holds Secrets, and this goes into the log of a pipeline.
            let reason = e.without_snippet().to_string().trim_start_matches("error: ").to_owned();
            ManifestError { file: source.name.clone(), reason }
        };
        let trees: Vec<Spanned<Tree>> = serde_saphyr::from_multiple(&source.text).map_err(wrong)?;
        let mut manifests = Vec::new();
        for tree in trees {
            let mut lines = BTreeMap::new();
            let value = plain(&tree, &mut String::new(), &mut lines);
            let whole = Self { file: source.name.clone(), value, lines };
            match whole.value.get("items").and_then(Value::as_array) {
                Some(items) => {
                    manifests.extend((0..items.len()).map(|at| whole.part(&format!("/items/{at}"))))
                }
                None => manifests.push(whole),
            }
        }
        Ok(manifests)
    }

    /// What a JSON pointer leads to.
    pub(super) fn get(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    /// The line of what a pointer leads to, else of the nearest thing around it.
    pub(super) fn line(&self, pointer: &str) -> usize {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.lines.get(pointer) {
                return *line;
            }
            let Some((around, _)) = pointer.rsplit_once('/') else { return 1 };
            pointer = around;
        }
    }

    /// `Deployment`, or an empty text.
    pub(super) fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.get("/metadata/name").and_then(Value::as_str).unwrap_or("unnamed")
    }

    /// Its namespace; an empty one stands for whatever it is applied to.
    pub(super) fn namespace(&self) -> &str {
        self.get("/metadata/namespace").and_then(Value::as_str).unwrap_or_default()
    }

    fn part(&self, pointer: &str) -> Self {
        let inside = |(at, line): (&String, &usize)| Some((at.strip_prefix(pointer)?.to_owned(), *line));
        Self {
            file: self.file.clone(),
            value: self.get(pointer).cloned().unwrap_or_default(),
            lines: self.lines.iter().filter_map(inside).collect(),
        }
    }
}

/// A node of YAML whose children know their lines.
enum Tree {
    Scalar(Value),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(String, Spanned<Tree>)>),
}

/// The same without lines, which go into a map of pointers.
fn plain(tree: &Spanned<Tree>, pointer: &mut String, lines: &mut BTreeMap<String, usize>) -> Value {
    lines.insert(pointer.clone(), tree.referenced.line() as usize);
    let length = pointer.len();
    let mut child = |name: &str, tree: &Spanned<Tree>, lines: &mut BTreeMap<String, usize>| {
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let value = plain(tree, pointer, lines);
        pointer.truncate(length);
        value
    };
    match &tree.value {
        Tree::Scalar(value) => value.clone(),
        Tree::List(items) => {
            let each = items.iter().enumerate();
            Value::Array(each.map(|(at, item)| child(&at.to_string(), item, lines)).collect())
        }
        Tree::Map(entries) => {
            let each = entries.iter().map(|(name, tree)| (name.clone(), child(name, tree, lines)));
            Value::Object(each.collect::<Map<String, Value>>())
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
        Tree::deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Source};

    fn read(text: &str) -> Vec<Manifest> {
        Manifest::read(&Source { name: "f".into(), text: text.into() }).unwrap()
    }

    #[test]
    fn every_document_knows_its_lines_in_the_file() {
        let text = "---\n# Source: x\nkind: A\n---\n\n---\nkind: B\nspec:\n  items: []\n  list:\n    - { a: 1 }\n    - a/b: 2\n";
        let all = read(text);
        assert_eq!(all.iter().map(Manifest::kind).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!((all[0].line("/kind"), all[1].line("/kind")), (3, 7));
        assert_eq!((all[1].line("/spec/list/1/a~1b"), all[1].line("/spec/list/0/nothing")), (12, 11));
    }

    #[test]
    fn objects_of_a_list_are_looked_at_one_by_one() {
        let all = read("kind: List\nitems:\n  - kind: A\n    metadata: { name: x }\n  - kind: B\n");
        assert_eq!((all.len(), all[0].name(), all[1].kind(), all[1].line("/kind")), (2, "x", "B", 5));
    }
}
