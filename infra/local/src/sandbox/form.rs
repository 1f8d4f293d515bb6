//! Stripe's requests as they come over the wire: forms with bracketed names, `line_items[0][price_data][currency]=sar`.
//!
//! Reading consumes: whoever has read every parameter it knows calls [`Params::finish`], and what is left over is refused
//! with its full name, as Stripe does.

use std::collections::BTreeMap;

use super::refusal::Refusal;

/// A bracketed form is at most this deep; Stripe's own deepest parameters have six levels.
const DEEPEST: usize = 8;
/// So many pairs at most: 100 line items with every field of theirs fit.
const MOST_PAIRS: usize = 2_000;

/// What stands under a name: a text, or more names. A list is a map whose names are numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Text(String),
    Map(BTreeMap<String, Node>),
}

/// The parameters under one name (the whole form at the top), of which nothing has been forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Params {
    path: String,
    fields: BTreeMap<String, Node>,
}

/// Reads a body or a query.
///
/// # Errors
/// 400 when it is not a form, or names contradict each other (`a=1&a[b]=2`).
pub(super) fn parse(text: &[u8]) -> Result<Params, Refusal> {
    let mut fields = BTreeMap::new();
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    for (count, pair) in pairs.enumerate() {
        if count >= MOST_PAIRS {
            return Err(Refusal::invalid("Too many parameters."));
        }
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &b""[..]),
        };
        let (name, value) = (decode(name)?, decode(value)?);
        let steps = steps(&name).ok_or_else(|| bad_name(&name))?;
        insert(&mut fields, &steps, value).ok_or_else(|| bad_name(&name))?;
    }
    Ok(Params { path: String::new(), fields })
}

fn bad_name(name: &str) -> Refusal {
    let shown: String = name.chars().take(80).collect();
    Refusal::invalid(format!("Invalid parameter name: {shown}"))
}

/// `+` is a space, `%41` is a byte; the whole must be UTF-8.
fn decode(text: &[u8]) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = tail.split_at_checked(2).ok_or_else(not_a_form)?;
                bytes.extend(hex::decode(digits).map_err(|_| not_a_form())?);
                rest = after;
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).map_err(|_| not_a_form())
}

fn not_a_form() -> Refusal {
    Refusal::invalid("Invalid request body: it must be application/x-www-form-urlencoded in UTF-8.")
}

/// `a[b][0]` is `a`, `b`, `0`; a list's `a[]` ends in an empty step. None if the brackets make no sense.
fn steps(name: &str) -> Option<Vec<&str>> {
    let (first, mut rest) = match name.find('[') {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    if first.is_empty() || first.contains(']') {
        return None;
    }
    let mut steps = vec![first];
    while !rest.is_empty() {
        let (step, after) = rest.strip_prefix('[')?.split_once(']')?;
        let last = after.is_empty();
        if step.contains('[') || (step.is_empty() && !last) || steps.len() >= DEEPEST {
            return None;
        }
        steps.push(step);
        rest = after;
    }
    Some(steps)
}

/// None when something else already stands there.
fn insert(fields: &mut BTreeMap<String, Node>, steps: &[&str], value: String) -> Option<()> {
    let (step, deeper) = steps.split_first()?;
    let name = if step.is_empty() { fields.len().to_string() } else { (*step).to_owned() };
    if deeper.is_empty() {
        return fields.insert(name, Node::Text(value)).is_none().then_some(());
    }
    match fields.entry(name).or_insert_with(|| Node::Map(BTreeMap::new())) {
        Node::Map(map) => insert(map, deeper, value),
        Node::Text(_) => None,
    }
}

impl Params {
    /// `line_items[0][quantity]`: the name as the caller wrote it, for messages.
    pub(super) fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}[{field}]", self.path) }
    }

    /// A text, if it is there.
    pub(super) fn text(&mut self, field: &str) -> Result<Option<String>, Refusal> {
        match self.fields.remove(field) {
            None => Ok(None),
            Some(Node::Text(text)) if text.is_empty() => Err(Refusal::param(
                "parameter_invalid_empty",
                self.name(field),
                format!("You passed an empty string for '{}'. Leave the parameter out instead.", self.name(field)),
            )),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(Node::Map(_)) => {
                Err(Refusal::param("parameter_invalid_string", self.name(field), "Invalid string: a hash was given."))
            }
        }
    }

    /// A text of at most so many characters.
    pub(super) fn short_text(&mut self, field: &str, longest: usize) -> Result<Option<String>, Refusal> {
        let text = self.text(field)?;
        if text.as_ref().is_some_and(|text| text.chars().count() > longest) {
            let message = format!("Invalid string: must be at most {longest} characters");
            return Err(Refusal::param("parameter_invalid_string", self.name(field), message));
        }
        Ok(text)
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, field: &str) -> Result<String, Refusal> {
        self.text(field)?.ok_or_else(|| self.missing(field))
    }

    /// The refusal for a parameter that is not there.
    pub(super) fn missing(&self, field: &str) -> Refusal {
        let name = self.name(field);
        Refusal::param("parameter_missing", name.clone(), format!("Missing required param: {name}."))
    }

    /// A whole number: digits with at most a sign before them.
    pub(super) fn whole(&mut self, field: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let refused =
            || Refusal::param("parameter_invalid_integer", self.name(field), format!("Invalid integer: {text}"));
        number.map(Some).ok_or_else(refused)
    }

    /// `true` or `false`; false when it is not there.
    pub(super) fn flag(&mut self, field: &str) -> Result<bool, Refusal> {
        Ok(self.choice(field, &["true", "false"])?.as_deref() == Some("true"))
    }

    /// One of these words.
    pub(super) fn choice(&mut self, field: &str, words: &[&str]) -> Result<Option<String>, Refusal> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        if words.contains(&text.as_str()) {
            return Ok(Some(text));
        }
        let name = self.name(field);
        let message = format!("Invalid {name}: must be one of {}", words.join(", "));
        Err(Refusal { param: Some(name), ..Refusal::invalid(message) })
    }

    /// An object of its own; empty if it is not there.
    pub(super) fn hash(&mut self, field: &str) -> Result<Option<Self>, Refusal> {
        let path = self.name(field);
        match self.fields.remove(field) {
            None => Ok(None),
            Some(Node::Map(fields)) => Ok(Some(Self { path, fields })),
            Some(Node::Text(_)) => Err(Refusal { param: Some(path), ..Refusal::invalid("Invalid object") }),
        }
    }

    /// A list of objects, in the order of their numbers.
    pub(super) fn hashes(&mut self, field: &str) -> Result<Vec<Self>, Refusal> {
        let Some(mut list) = self.hash(field)? else { return Ok(Vec::new()) };
        list.numbers()?.iter().map(|number| list.hash(number).map(Option::unwrap_or_default)).collect()
    }

    /// A list of texts, in the order of their numbers.
    pub(super) fn texts(&mut self, field: &str) -> Result<Vec<String>, Refusal> {
        let Some(mut list) = self.hash(field)? else { return Ok(Vec::new()) };
        list.numbers()?.iter().map(|number| list.required(number)).collect()
    }

    fn numbers(&self) -> Result<Vec<String>, Refusal> {
        let mut numbers = Vec::new();
        for name in self.fields.keys() {
            let number: u32 = name.parse().map_err(|_| Refusal {
                param: Some(self.path.clone()),
                ..Refusal::invalid(format!("Invalid array: {} must be numbered from 0.", self.path))
            })?;
            numbers.push((number, name.clone()));
        }
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(|(_, name)| name).collect())
    }

    /// Metadata: at most 50 keys of 40 characters with values of 500 (Stripe's limits, docs.stripe.com/metadata).
    pub(super) fn metadata(&mut self, field: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let Some(hash) = self.hash(field)? else { return Ok(BTreeMap::new()) };
        let too_much = |what: &str| Refusal { param: Some(hash.path.clone()), ..Refusal::invalid(what) };
        if hash.fields.len() > 50 {
            return Err(too_much("Metadata can have at most 50 keys."));
        }
        let mut metadata = BTreeMap::new();
        for (key, node) in &hash.fields {
            let Node::Text(value) = node else {
                return Err(too_much("Metadata values must be strings, not hashes."));
            };
            if key.chars().count() > 40 || value.chars().count() > 500 {
                return Err(too_much("Metadata keys can have 40 characters, values 500."));
            }
            // An empty value unsets a key; on creation there is nothing to unset.
            if !value.is_empty() {
                metadata.insert(key.clone(), value.clone());
            }
        }
        Ok(metadata)
    }

    /// Whether a parameter is there and has not been read yet.
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Forgets a parameter that Stripe knows and that changes nothing here.
    pub(super) fn ignore(&mut self, field: &str) {
        self.fields.remove(field);
    }

    /// Refuses a parameter that Stripe knows, and that would change what this sandbox has no model of. Switched off
    /// (`false`, or `[enabled]=false`) it changes nothing.
    pub(super) fn refuse(&mut self, field: &str) -> Result<(), Refusal> {
        let off = Node::Text("false".to_owned());
        match self.fields.remove(field) {
            None => Ok(()),
            Some(node) if node == off => Ok(()),
            Some(Node::Map(map)) if map.len() == 1 && map.get("enabled") == Some(&off) => Ok(()),
            Some(_) => {
                let name = self.name(field);
                let message = format!("The local Stripe sandbox does not know how to honour `{name}`.");
                Err(Refusal { param: Some(name), ..Refusal::invalid(message) })
            }
        }
    }

    /// Forgets what was left empty, as a browser sends it.
    pub(super) fn without_blanks(mut self) -> Self {
        self.fields.retain(|_, node| *node != Node::Text(String::new()));
        self
    }

    /// Takes one parameter out, into a form of its own.
    pub(super) fn take(&mut self, field: &str) -> Self {
        let taken = self.fields.remove(field).map(|node| (field.to_owned(), node));
        Self { path: self.path.clone(), fields: taken.into_iter().collect() }
    }

    /// # Errors
    /// 400 `parameter_unknown` if anything is left that nobody has read.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        let Some(field) = self.fields.keys().next() else { return Ok(()) };
        let name = self.name(field);
        Err(Refusal::param("parameter_unknown", name.clone(), format!("Received unknown parameter: {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().message
    }

    #[test]
    fn bracketed_names_become_a_tree() {
        let mut form = parse(
            b"mode=payment&line_items[0][price_data][currency]=sar&line_items%5B0%5D%5Bquantity%5D=2&types[]=card&types[]=link\
              &name=a+b%26%C3%A9",
        )
        .unwrap();
        assert_eq!(form.required("mode").unwrap(), "payment");
        assert_eq!(form.required("name").unwrap(), "a b&é");
        assert_eq!(form.texts("types").unwrap(), ["card", "link"]);
        let mut line = form.hashes("line_items").unwrap().remove(0);
        assert_eq!(line.whole("quantity").unwrap(), Some(2));
        assert_eq!(line.name("price_data"), "line_items[0][price_data]");
        assert_eq!(line.hash("price_data").unwrap().unwrap().required("currency").unwrap(), "sar");
        form.finish().unwrap();
    }

    #[test]
    fn nonsense_is_refused_and_never_guessed_at() {
        for bad in [
            "=1",
            "[a]=1",
            "a[=1",
            "a]=1",
            "a[b=1",
            "a[b]]=1",
            "a[b]c=1",
            "a[[b]]=1",
            "a[][b]=1",
            "a=1&a=2",
            "a=1&a[b]=2",
            "a[b]=1&a=2",
            "a[b][c][d][e][f][g][h][i]=1",
            "{\"mode\":\"payment\"}[",
        ] {
            assert!(refused(bad).starts_with("Invalid parameter name"), "{bad}");
        }
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff", "%c3=1"] {
            assert!(refused(bad).starts_with("Invalid request body"), "{bad}");
        }
        let many: String = (0..=MOST_PAIRS).map(|number| format!("a{number}=1&")).collect();
        assert_eq!(refused(&many), "Too many parameters.");
    }

    #[test]
    fn what_nobody_read_is_named() {
        let mut form = parse(b"metadata[a]=1&payment_intent_data[colour]=red&x=").unwrap();
        assert_eq!(form.metadata("metadata").unwrap(), BTreeMap::from([("a".to_owned(), "1".to_owned())]));
        let inner = form.hash("payment_intent_data").unwrap().unwrap();
        assert_eq!(inner.finish().unwrap_err().param.as_deref(), Some("payment_intent_data[colour]"));
        assert_eq!(form.text("x").unwrap_err().code, Some("parameter_invalid_empty"));
        form.finish().unwrap();
    }

    #[test]
    fn numbers_are_whole() {
        for bad in ["1.5", "1e3", "+1", "", "-", "0x10", " 1", "99999999999999999999"] {
            let form = parse(format!("n={}", bad.replace('+', "%2B")).as_bytes());
            assert!(form.unwrap().whole("n").is_err(), "{bad}");
        }
        assert_eq!(parse(b"n=-12").unwrap().whole("n").unwrap(), Some(-12));
        assert!(parse(b"list[0]=a&list[x]=b").unwrap().texts("list").is_err());
        assert!(parse(b"list=a").unwrap().texts("list").is_err());
        assert_eq!(parse(b"list[10]=c&list[2]=b").unwrap().texts("list").unwrap(), ["b", "c"]);
    }
}
