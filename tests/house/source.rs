//! Rust sources as words, and what they declare and import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A word or a mark of the source, with its line.
#[derive(Clone)]
struct Token {
    text: String,
    line: usize,
}

/// A path that a `use` names.
pub(crate) struct Named {
    /// The module that it stands in: that of the file, or one inside it.
    pub(crate) within: Vec<String>,
    /// The names of the path, `crate`, `self` and `super` among them.
    pub(crate) path: Vec<String>,
    /// The name that it has from then on; `*` for all names of a module.
    pub(crate) alias: String,
    /// True for a `pub use`.
    pub(crate) public: bool,
}

/// A type that a file declares with `pub`, however far it is public.
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// A file of a crate.
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) names: Vec<Named>,
    pub(crate) types: Vec<Declared>,
    /// Every item's name, to look names up that come through a `*`.
    pub(crate) items: BTreeSet<String>,
}

/// The modules of a crate that are files, by their paths.
pub(crate) type Tree = BTreeMap<Vec<String>, Module>;

/// Reads the crate whose root is `root`, following `mod` from file to file; tests are left out.
pub(crate) fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let folder = root.parent().unwrap().to_owned();
    let mut open = vec![(Vec::new(), root.to_owned(), folder)];
    while let Some((path, file, folder)) = open.pop() {
        let text =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let (module, children) = Reader::read(&path, file, &text);
        for child in children {
            let inner = child[path.len()..].iter();
            let below = inner.fold(folder.clone(), |folder, name| folder.join(name));
            let candidates = [below.with_extension("rs"), below.join("mod.rs")];
            let found = candidates.into_iter().find(|file| file.is_file());
            let found = found.unwrap_or_else(|| panic!("{}: no file", below.display()));
            open.push((child, found, below));
        }
        tree.insert(path, module);
    }
    tree
}

/// Walks the tokens of a file.
struct Reader {
    tokens: Vec<Token>,
    at: usize,
    /// The file's module and those inside it that are open, with the depth of braces at which each ends.
    within: Vec<String>,
    ends: Vec<usize>,
    module: Module,
    children: Vec<Vec<String>>,
}

impl Reader {
    fn read(path: &[String], file: PathBuf, text: &str) -> (Module, Vec<Vec<String>>) {
        let mut reader = Self {
            tokens: tokens(text),
            at: 0,
            within: path.to_vec(),
            ends: Vec::new(),
            module: Module {
                file,
                names: Vec::new(),
                types: Vec::new(),
                items: BTreeSet::new(),
            },
            children: Vec::new(),
        };
        reader.walk();
        (reader.module, reader.children)
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    fn walk(&mut self) {
        let mut depth = 0_usize;
        let mut public = false;
        while self.at < self.tokens.len() {
            let word = self.text(self.at).to_owned();
            match word.as_str() {
                "#" => {
                    if self.is_for_tests() {
                        self.skip_item();
                    }
                    continue;
                }
                "pub" => {
                    public = true;
                    self.at += 1;
                    if self.text(self.at) == "(" {
                        self.at = self.closing(self.at) + 1;
                    }
                    continue;
                }
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    if self.ends.last() == Some(&depth) {
                        self.ends.pop();
                        self.within.pop();
                    }
                }
                "mod" => self.module_at(depth),
                "use" => {
                    self.import(public);
                    public = false;
                    continue;
                }
                "struct" | "enum" | "trait" | "type" | "union" => self.declared(public),
                "fn" | "const" | "static" => self.item(),
                _ => {}
            }
            public = public && matches!(word.as_str(), "unsafe" | "async" | "const" | "auto");
            self.at += 1;
        }
    }

    /// Passes an attribute; says whether it leaves the item behind it to tests.
    fn is_for_tests(&mut self) -> bool {
        let start = self.at + 1 + usize::from(self.text(self.at + 1) == "!");
        if self.text(start) != "[" {
            self.at += 1;
            return false;
        }
        let end = self.closing(start);
        let words: Vec<_> = (start + 1..end).map(|at| self.text(at)).collect();
        let tests =
            words.first() == Some(&"cfg") && words.contains(&"test") && !words.contains(&"not");
        self.at = end + 1;
        tests
    }

    /// Passes the item, field or statement that stands here, with its other attributes.
    fn skip_item(&mut self) {
        while self.text(self.at) == "#" {
            self.is_for_tests();
        }
        const ITEMS: [&str; 12] = [
            "pub", "fn", "mod", "use", "impl", "struct", "enum", "trait", "const", "static",
            "type", "async",
        ];
        let is_item = ITEMS.contains(&self.text(self.at));
        let mut first = self.at;
        while matches!(self.text(first), "pub" | "(" | "crate" | "super" | ")") {
            first += 1;
        }
        let is_use = self.text(first) == "use";
        while self.at < self.tokens.len() {
            match self.text(self.at) {
                "(" | "[" => self.at = self.closing(self.at),
                "{" => {
                    self.at = self.closing(self.at);
                    if !is_use {
                        self.at += 1;
                        return;
                    }
                }
                ";" => {
                    self.at += 1;
                    return;
                }
                "," if !is_item => {
                    self.at += 1;
                    return;
                }
                "}" => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// The place of the bracket that closes the one at `open`.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for at in open..self.tokens.len() {
            match self.text(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len()
    }

    fn module_at(&mut self, depth: usize) {
        let name = self.text(self.at + 1).to_owned();
        match self.text(self.at + 2) {
            ";" => {
                let mut child = self.within.clone();
                child.push(name);
                self.children.push(child);
            }
            "{" => {
                self.within.push(name);
                self.ends.push(depth);
            }
            _ => {}
        }
    }

    fn declared(&mut self, public: bool) {
        let line = self.tokens[self.at].line;
        let name = self.text(self.at + 1).to_owned();
        if public {
            self.module.types.push(Declared { name, line });
        }
        self.item();
    }

    fn item(&mut self) {
        let name = self.text(self.at + 1).to_owned();
        self.module.items.insert(name);
    }

    /// A `use`, up to its semicolon.
    fn import(&mut self, public: bool) {
        self.at += 1;
        self.import_tree(&[], public);
        while !matches!(self.text(self.at), ";" | "") {
            self.at += 1;
        }
        self.at += 1;
    }

    fn import_tree(&mut self, prefix: &[String], public: bool) {
        let mut path = prefix.to_vec();
        loop {
            match self.text(self.at).to_owned().as_str() {
                "::" => self.at += 1,
                "{" => {
                    let end = self.closing(self.at);
                    self.at += 1;
                    while self.at < end {
                        self.import_tree(&path, public);
                        if self.text(self.at) == "," {
                            self.at += 1;
                        }
                    }
                    self.at = end + 1;
                    return;
                }
                "*" => {
                    self.at += 1;
                    self.named(path, "*".to_owned(), public);
                    return;
                }
                "as" => {
                    let alias = self.text(self.at + 1).to_owned();
                    self.at += 2;
                    self.named(path, alias, public);
                    return;
                }
                // `{self}` is the path before it.
                "self" if !path.is_empty() => self.at += 1,
                word if is_name(word) => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
                _ => {
                    let alias = path.last().cloned().unwrap_or_default();
                    self.named(path, alias, public);
                    return;
                }
            }
        }
    }

    fn named(&mut self, path: Vec<String>, alias: String, public: bool) {
        let within = self.within.clone();
        self.module.names.push(Named {
            within,
            path,
            alias,
            public,
        });
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Takes a source apart; comments and literals are left out.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut line) = (0, 1);
    let mut found = Vec::new();
    let get = |at: usize| chars.get(at).copied().unwrap_or('\0');
    while at < chars.len() {
        let start = at;
        match chars[at] {
            '/' if get(at + 1) == '/' => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1
                }
            }
            '/' if get(at + 1) == '*' => {
                at += 2;
                while at < chars.len() && !(chars[at] == '*' && get(at + 1) == '/') {
                    at += 1;
                }
                at += 2;
            }
            '"' => at = end_of_text(&chars, at),
            'r' | 'b' if raw_marks(&chars, at).is_some() => {
                let (quote, marks) = raw_marks(&chars, at).unwrap_or_default();
                at = match marks {
                    Some(marks) => end_of_raw(&chars, quote, marks),
                    None => end_of_text(&chars, quote),
                };
            }
            // A lifetime has no quote behind its name.
            '\'' if get(at + 1) == '\\' => {
                at += 3;
                while at < chars.len() && chars[at] != '\'' {
                    at += 1;
                }
                at += 1;
            }
            '\'' if get(at + 2) == '\'' => at += 3,
            c if c.is_alphanumeric() || c == '_' => {
                while get(at).is_alphanumeric() || get(at) == '_' {
                    at += 1;
                }
                let text = chars[start..at].iter().collect();
                found.push(Token { text, line });
            }
            ':' if get(at + 1) == ':' => {
                at += 2;
                found.push(Token {
                    text: "::".to_owned(),
                    line,
                });
            }
            c => {
                at += 1;
                if !c.is_whitespace() {
                    found.push(Token {
                        text: c.to_string(),
                        line,
                    });
                }
            }
        }
        let end = at.min(chars.len());
        line += chars[start..end].iter().filter(|c| **c == '\n').count();
    }
    found
}

/// The end of the text whose first quote is at `quote`.
fn end_of_text(chars: &[char], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < chars.len() && chars[at] != '"' {
        at += 1 + usize::from(chars[at] == '\\');
    }
    at + 1
}

fn end_of_raw(chars: &[char], quote: usize, marks: usize) -> usize {
    let mut at = quote + 1;
    while at < chars.len() {
        let closing = chars[at] == '"' && chars[at + 1..].iter().take(marks).all(|c| *c == '#');
        at += 1;
        if closing {
            return at + marks;
        }
    }
    at
}

/// For a prefix of a text (`r`, `b`, `br`): the place of its first quote, and the marks before that if it is a raw one.
fn raw_marks(chars: &[char], at: usize) -> Option<(usize, Option<usize>)> {
    if at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') {
        return None;
    }
    let bytes = usize::from(chars[at] == 'b');
    let raw = usize::from(chars.get(at + bytes) == Some(&'r'));
    let first = at + bytes + raw;
    let marks = chars[first..].iter().take_while(|c| **c == '#').count();
    let quote = first + if raw == 1 { marks } else { 0 };
    let is_text = chars.get(quote) == Some(&'"') && bytes + raw > 0;
    is_text.then_some((quote, (raw == 1).then_some(marks)))
}
