//! XML-RPC (xmlrpc.com/spec): calls written, answers read, with limits on what a stranger may send.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use indexmap::IndexMap;
use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

/// The deepest nesting of arrays and structs that is read.
const DEPTH: usize = 32;
/// The most values that one answer may hold.
const VALUES: usize = 1_000_000;

/// One XML-RPC value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Value>),
    Struct(IndexMap<String, Value>),
}

/// What a server answers: a value, or a fault with its code and text.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Value(Value),
    Fault(i64, String),
}

impl Value {
    /// A member of a struct.
    pub fn get(&self, name: &str) -> Option<&Value> {
        if let Value::Struct(members) = self { members.get(name) } else { None }
    }
    /// The text, when it is text.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }
    /// The whole number, when it is one.
    pub fn int(&self) -> Option<i64> {
        if let Value::Int(number) = self { Some(*number) } else { None }
    }
    /// The elements, when it is an array.
    pub fn array(&self) -> Option<&[Value]> {
        if let Value::Array(values) = self { Some(values) } else { None }
    }

    /// Code and text, when it is the struct by which `system.multicall` tells a fault.
    pub fn fault(&self) -> Option<(i64, &str)> {
        Some((self.get("faultCode")?.int()?, self.get("faultString")?.text()?))
    }

    fn write(&self, out: &mut String) {
        out.push_str("<value>");
        match self {
            Value::Nil => out.push_str("<nil/>"),
            Value::Bool(value) => out.push_str(&format!("<boolean>{}</boolean>", i32::from(*value))),
            Value::Int(value) => out.push_str(&format!("<int>{value}</int>")),
            Value::Double(value) => out.push_str(&format!("<double>{value}</double>")),
            Value::Text(value) => out.push_str(&format!("<string>{}</string>", escape(value.as_str()))),
            Value::Bytes(value) => out.push_str(&format!("<base64>{}</base64>", BASE64.encode(value))),
            Value::Array(values) => {
                out.push_str("<array><data>");
                values.iter().for_each(|value| value.write(out));
                out.push_str("</data></array>");
            }
            Value::Struct(members) => {
                out.push_str("<struct>");
                for (name, value) in members {
                    out.push_str(&format!("<member><name>{}</name>", escape(name.as_str())));
                    value.write(out);
                    out.push_str("</member>");
                }
                out.push_str("</struct>");
            }
        }
        out.push_str("</value>");
    }
}

/// The text of a call.
pub fn call(method: &str, params: &[Value]) -> String {
    let mut out = format!("<?xml version=\"1.0\"?><methodCall><methodName>{}</methodName><params>", escape(method));
    for value in params {
        out.push_str("<param>");
        value.write(&mut out);
        out.push_str("</param>");
    }
    out.push_str("</params></methodCall>");
    out
}

/// Reads the text of an answer. The error says what is wrong with it, without quoting it.
pub fn answer(text: &str) -> Result<Answer, String> {
    let mut parser = Parser { reader: Reader::from_str(text), values: 0 };
    parser.open("methodResponse")?;
    match parser.tag()?.as_str() {
        "params" => {
            parser.open("param")?;
            parser.open("value")?;
            Ok(Answer::Value(parser.value(0)?))
        }
        "fault" => {
            parser.open("value")?;
            let value = parser.value(0)?;
            let (code, text) = value.fault().ok_or("a fault without code or text")?;
            Ok(Answer::Fault(code, text.to_string()))
        }
        other => Err(format!("unexpected <{other}>")),
    }
}

enum Piece {
    Open(String),
    Empty(String),
    Close,
    Text(String),
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    values: usize,
}

impl Parser<'_> {
    fn piece(&mut self) -> Result<Piece, String> {
        loop {
            let event = self.reader.read_event().map_err(|error| format!("at byte {}: {error}", self.reader.error_position()))?;
            return Ok(match event {
                Event::Start(tag) => Piece::Open(tag.name().as_ref().to_string()),
                Event::Empty(tag) => Piece::Empty(tag.name().as_ref().to_string()),
                Event::End(_) => Piece::Close,
                Event::Text(text) => Piece::Text(text.into_inner().into_owned()),
                Event::CData(text) => Piece::Text(text.into_inner().into_owned()),
                Event::GeneralRef(entity) => Piece::Text(resolve(&entity)?),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
                Event::DocType(_) => return Err("a document type".into()),
                Event::Eof => return Err("it ends too early".into()),
            });
        }
    }

    /// The next tag that opens (an empty one counts as opened, and as an error where content is due), past white space.
    fn tag(&mut self) -> Result<String, String> {
        loop {
            match self.piece()? {
                Piece::Open(name) => return Ok(name),
                Piece::Text(text) if text.trim().is_empty() => {}
                Piece::Text(_) => return Err("text between tags".into()),
                Piece::Empty(name) => return Err(format!("an empty <{name}/>")),
                Piece::Close => return Err("a tag closes too early".into()),
            }
        }
    }

    fn open(&mut self, expected: &str) -> Result<(), String> {
        let name = self.tag()?;
        if name == expected { Ok(()) } else { Err(format!("<{name}> where <{expected}> was due")) }
    }

    /// Past white space, the close of the present tag.
    fn close(&mut self) -> Result<(), String> {
        match self.text()?.trim() {
            "" => Ok(()),
            _ => Err("text between tags".into()),
        }
    }

    /// The text up to the close of the present tag, which is read too.
    fn text(&mut self) -> Result<String, String> {
        let mut all = String::new();
        loop {
            match self.piece()? {
                Piece::Text(text) => all.push_str(&text),
                Piece::Close => return Ok(all),
                Piece::Open(name) | Piece::Empty(name) => return Err(format!("<{name}> inside text")),
            }
        }
    }

    /// The value inside a `<value>` that was just opened, and its close.
    fn value(&mut self, depth: usize) -> Result<Value, String> {
        self.values += 1;
        if depth > DEPTH || self.values > VALUES {
            return Err("it is nested too deep or too long".into());
        }
        let mut bare = String::new();
        let kind = loop {
            match self.piece()? {
                Piece::Text(text) => bare.push_str(&text),
                // A value without a type is a string.
                Piece::Close => return Ok(Value::Text(bare)),
                Piece::Open(name) => break name,
                Piece::Empty(name) => {
                    self.close()?;
                    return match name.as_str() {
                        "nil" => Ok(Value::Nil),
                        "string" => Ok(Value::Text(String::new())),
                        "base64" => Ok(Value::Bytes(Vec::new())),
                        "struct" => Ok(Value::Struct(IndexMap::new())),
                        other => Err(format!("an empty <{other}/>")),
                    };
                }
            }
        };
        if !bare.trim().is_empty() {
            return Err("text before a value's type".into());
        }
        let value = match kind.as_str() {
            "array" => self.array(depth)?,
            "struct" => self.members(depth)?,
            scalar => self.scalar(scalar)?,
        };
        self.close()?;
        Ok(value)
    }

    fn scalar(&mut self, kind: &str) -> Result<Value, String> {
        let text = self.text()?;
        let word = text.trim();
        let bad = || format!("a bad <{kind}>");
        Ok(match kind {
            "int" | "i4" | "i8" => Value::Int(word.parse().map_err(|_| bad())?),
            "boolean" => Value::Bool(match word {
                "1" => true,
                "0" => false,
                _ => return Err(bad()),
            }),
            "double" => Value::Double(word.parse().map_err(|_| bad())?),
            "base64" => {
                let packed: String = word.split_ascii_whitespace().collect();
                Value::Bytes(BASE64.decode(packed).map_err(|_| bad())?)
            }
            "nil" => Value::Nil,
            "string" | "dateTime.iso8601" => Value::Text(text),
            _ => return Err(format!("an unknown type <{kind}>")),
        })
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        let mut values = Vec::new();
        loop {
            match self.piece()? {
                Piece::Text(text) if text.trim().is_empty() => {}
                Piece::Empty(name) if name == "data" => break,
                Piece::Open(name) if name == "data" => {
                    while self.more("value")? {
                        values.push(self.value(depth + 1)?);
                    }
                    break;
                }
                _ => return Err("an array without <data>".into()),
            }
        }
        self.close()?;
        Ok(Value::Array(values))
    }

    fn members(&mut self, depth: usize) -> Result<Value, String> {
        let mut members = IndexMap::new();
        while self.more("member")? {
            self.open("name")?;
            let name = self.text()?;
            self.open("value")?;
            members.insert(name, self.value(depth + 1)?);
            self.close()?;
        }
        Ok(Value::Struct(members))
    }

    /// Whether another `expected` opens before the present tag closes; either is read.
    fn more(&mut self, expected: &str) -> Result<bool, String> {
        loop {
            match self.piece()? {
                Piece::Text(text) if text.trim().is_empty() => {}
                Piece::Open(name) if name == expected => return Ok(true),
                Piece::Close => return Ok(false),
                _ => return Err(format!("something else where <{expected}> was due")),
            }
        }
    }
}

fn resolve(entity: &quick_xml::events::BytesRef<'_>) -> Result<String, String> {
    if let Some(char) = entity.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(char.to_string());
    }
    quick_xml::escape::resolve_predefined_entity(entity).map(str::to_string).ok_or_else(|| "an unknown entity".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            (-1e12..1e12f64).prop_map(Value::Double),
            any::<String>().prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec((any::<String>(), inner), 0..5).prop_map(|pairs| Value::Struct(pairs.into_iter().collect())),
            ]
        })
    }

    fn response(value: &Value) -> String {
        let mut text = String::from("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n");
        value.write(&mut text);
        text + "</param>\n</params>\n</methodResponse>\n"
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in value()) {
            prop_assert_eq!(answer(&response(&value)), Ok(Answer::Value(value)));
        }

        #[test]
        fn what_is_cut_short_is_an_error(value in value(), cut in 0.0..1.0f64) {
            let text = response(&value);
            let end = text.rfind("</value>").unwrap_or(0);
            let mut at = (end as f64 * cut) as usize;
            while !text.is_char_boundary(at) { at -= 1; }
            prop_assert!(answer(&text[..at]).is_err());
        }

        #[test]
        fn garbage_never_panics(text in any::<String>(), tags in "(<(/)?(value|int|array|data|struct|member|name|params|param|methodResponse)/?>|x|&){0,30}") {
            drop(answer(&text));
            drop(answer(&format!("<methodResponse><params><param><value>{tags}")));
        }
    }

    #[test]
    fn faults_bare_strings_and_depth() {
        let fault = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>10</int></value></member>\
                     <member><name>faultString</name><value><string>BAD_NAME: a&amp;b</string></value></member></struct></value></fault></methodResponse>";
        assert_eq!(answer(fault), Ok(Answer::Fault(10, "BAD_NAME: a&b".into())));
        let bare = "<methodResponse><params><param><value> a&lt;&#65; </value></param></params></methodResponse>";
        assert_eq!(answer(bare), Ok(Answer::Value(Value::Text(" a<A ".into()))));
        let deep = "<value><array><data>".repeat(100);
        assert!(answer(&format!("<methodResponse><params><param>{deep}")).unwrap_err().contains("too deep"));
        assert!(answer("<html><body>502</body></html>").is_err());
    }

    #[test]
    fn python_reads_what_is_written() {
        let text = call(
            "a.b",
            &[Value::Text("é<&>\u{1F600}]]>".into()), Value::Int(-5), Value::Array(vec![Value::Bool(true), Value::Double(0.25)])],
        );
        let script = "import sys,xmlrpc.client as x; print(ascii(x.loads(sys.argv[1])))";
        let out = std::process::Command::new("/usr/bin/python3").args(["-c", script, &text]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), r"(('\xe9<&>\U0001f600]]>', -5, [True, 0.25]), 'a.b')");
    }
}
