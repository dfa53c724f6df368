//! Expressions written to hurt: they end quickly, in a value or in an error.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::{Budget, Expression};
use super::{evaluate, now, variables};

/// The stack of a thread that has little of it.
const STACK: usize = 512 << 10;

/// A debug build is some ten times slower than what is shipped (which stays below 50 ms), and machines that run tests
/// are busy.
const PATIENCE: Duration = Duration::from_secs(5);

fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

fn timed(source: &str, variables: &Map<String, Value>) -> Result<Value, String> {
    let start = Instant::now();
    let result = match Expression::parse(source) {
        Ok(expression) => expression.evaluate(variables, now(), &Budget::default()).map_err(|error| error.message),
        Err(error) => Err(error.message),
    };
    let taken = start.elapsed();
    let shown: String = source.chars().take(60).collect();
    println!("{taken:>10.1?} {shown} {}", result.as_ref().map_or_else(String::as_str, |_| "ok"));
    assert!(taken < PATIENCE, "{shown}: {taken:?}");
    result
}

fn large_variables() -> Map<String, Value> {
    let mut variables = variables();
    variables.insert("text".to_owned(), json!("a".repeat(1 << 20)));
    variables.insert("substitute".to_owned(), json!("a".repeat(1_000_000)));
    variables.insert("words".to_owned(), json!("ab ".repeat(2_000)));
    // Without a pattern in it, so that a lazy automaton finds no state twice.
    variables.insert("noise".to_owned(), json!(Soup(7).text(&["a", "b"], 20_000)));
    variables.insert("numbers".to_owned(), Value::Array((0..90_000).map(Value::from).collect()));
    variables.insert("huge".to_owned(), serde_json::from_str(&"9".repeat(1 << 20)).unwrap());
    let wide: Map<String, Value> = (0..50_000).map(|index| (format!("k{index}"), json!(index))).collect();
    variables.insert("wide".to_owned(), Value::Object(wide));
    let deep = (0..120).fold(json!(1), |inner, _| json!([inner]));
    variables.insert("deep".to_owned(), deep);
    variables
}

#[test]
fn work_without_end_is_cut_short() {
    let variables = large_variables();
    for source in [
        "= count(for i in 1..3000000 return i)",
        "= for i in 1..1000000000000 return 1",
        "= some i in 1..9223372036854775807 satisfies i < 0",
        "= every a in 1..999, b in 1..999, c in 1..999 satisfies true",
        "= count(for i in 1..1000, j in 1..1000 return [i, j])",
        "= for a in numbers, b in numbers return a",
        "= distinct values(numbers)",
        "= numbers[item in numbers]",
        "= for i in 1..1000 return numbers",
        "= for i in 1..1000 return wide",
        "= [text, text, text, text, text, text, text, text, text]",
        "= for i in 1..100 return text",
        "= for i in 1..100 return upper case(text)",
        "= for i in 1..1000 return flatten(numbers)",
        "= for i in 1..1000 return context put(wide, \"a\", i)",
        "= for i in 1..10000 return wide = wide",
        "= string join(for i in 1..1000 return text)",
        "= text + text",
        "= string(for i in 1..30 return text)",
        "= replace(text, \"\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\")",
        "= replace(words, \".*[^a-z ]|[a-z]\", \"$0$0$0$0\")",
        "= split(text, \".*b|a\")",
        "= matches(text, \"(a?){50}a{50}\")",
        "= for i in 1..1000 return matches(text, \"(a|b|ab)*c\")",
        "= for i in 1..1000 return matches(\"a\", \"(a{20}){20}\" + string(i))",
        "= for i in 1..1000 return matches(words, \"[ab](a|b| ){12}c\")",
        "= for i in 1..1000 return matches(words, \"[ab].{150}x\")",
        "= for i in 1..1000 return matches(words, \"[ab ]*a[ab ]{90}x\")",
        "= for i in 1..1000 return matches(words, \"[ab ]*a[ab ]{400}x\")",
        "= for i in 1..1000 return matches(words, \"(((a?b?){9}){9}){3}x\")",
        "= for i in 1..1000 return matches(\"a\", \"(?i)\\p{L}\\p{L}\\p{L}\\p{L}\\p{L}\\p{L}\\p{L}\" + string(i))",
        "= for i in 1..1000 return matches(\"a\", string join(for j in 1..100 return \"[^\\pL]\") + string(i), \"i\")",
        "= for i in 1..1000 return replace(substring(words, 1, 500), \"[ab ]*a[ab ]{90}x|b\", \"c\")",
        r#"= for i in 1..99 return matches("a", "[\x{0}-\x{10FFFF}][ -😀]" + string(i), "i")"#,
        r#"= for i in 1..99 return matches("a", "(?i)[\\Wa][[^b]c]" + string(i))"#,
        r#"= for i in 1..99 return matches("a", "(?i)\\PL\\PL" + string(i))"#,
        r#"= for i in 1..99 return matches("a", string join(for j in 1..50 return "[\x{0}-\x{10FFFF}]") + string(i), "i")"#,
        "= for i in 1..1000 return matches(\"a\", \"(?i)(((\\PL{2}){9}){9})\" + string(i))",
        "= for i in 1..1000 return matches(\"a\", \"((((((a*){9})*){9})*){9})*\" + string(i))",
        "= for i in 1..1000 return matches(noise, \"[ab]*a[ab]{60}[xy]\")",
        "= for i in 1..1000 return matches(noise, \"[ab]*a[ab]{250}[xy]\")",
        "= for i in 1..1000 return matches(noise, \"[ab]*a[ab]{1200}[xy]\")",
        "= for i in 1..1000 return matches(substring(noise, 1, 3000), \"(.?a|b?.){300}[xy]\")",
        "= split(noise, \"[ab]*a[ab]{60}[xy]|ab\")",
        "= replace(substring(noise, 1, 1500), \"[ab]*a[ab]{200}[xy]|[ab]\", \"\")",
        "= for i in 1..999 return replace(substring(noise, 1, 100 + i), \"([ab]*)(a[ab]{60})(.*)$\", \"$1$2\")",
        "= for i in 1..100000 return 1.000001 ** 999999",
        "${text}${text}",
        "${text}-${text}",
    ] {
        let result = timed(source, &variables);
        assert!(result.is_err(), "{source} should not come to an end");
    }
}

#[test]
fn large_things_that_are_fine() {
    let variables = large_variables();
    for source in [
        "= sum(numbers)",
        "= count(numbers)",
        "= numbers[-1]",
        "= numbers",
        "= wide.k7",
        "= wide",
        "= text",
        "${text}",
        "<${s}> ${substitute} ${s} ${s}",
        "= string length(text)",
        "= contains(text, \"b\")",
        "= huge > 1",
        "= [text, text, text, text]",
        "= for i in 1..10000 return i * 1.5",
        "= for i in 1..10000 return 1e6000 > 1e-6000",
        "= for i in 1..5000 return 1e6000 + 1e-6000",
        "= for i in 1..5000 return modulo(1e6000, 7)",
        "= for i in 1..5000 return 1 / 3 / 7",
        "= for i in 1..500 return 1.000001 ** 999999",
        "= matches(words, \"^[ab ]+$\")",
        "= split(substring(words, 1, 300), \" \")",
        "= replace(substring(words, 1, 300), \"a\", \"b\")",
        "= distinct values(numbers[item < 40])",
    ] {
        let result = timed(source, &variables);
        println!("      {}", result.as_ref().map_or_else(Clone::clone, |_| String::new()));
    }
    assert_eq!(timed("= count(numbers)", &variables), Ok(json!(90_000)));
    assert_eq!(timed("= sum(numbers)", &variables), Ok(json!(4_049_955_000_u64)));
}

#[test]
fn a_long_sum_is_no_deep_tree() {
    on_a_small_stack(|| {
        let sum = format!("= {}1", "1+".repeat(998));
        assert_eq!(evaluate(&sum), Ok(json!(999)));
        let sum = format!("${{{}1}}", "1+".repeat(998));
        assert_eq!(evaluate(&sum), Ok(json!(999)));
        let chain = format!("= o{}", ".a".repeat(998));
        assert_eq!(evaluate(&chain), Ok(Value::Null));
        let chain = format!("${{o{}}}", "['a']".repeat(300));
        assert_eq!(evaluate(&chain), Ok(Value::Null));
        let too_long = format!("= {}1", "1+".repeat(1_999));
        assert!(evaluate(&too_long).unwrap_err().contains("at most 2000 characters"));
    });
}

#[test]
fn deep_nesting_is_a_syntax_error() {
    let nested = [
        ("= ", "(", "1", ")"),
        ("= ", "[", "1", "]"),
        ("= ", "{a:", "1", "}"),
        ("= ", "-", "1", ""),
        ("= ", "1+(", "1", ")"),
        ("= ", "not(", "t", ")"),
        ("= ", "if t then ", "1", " else 2"),
        ("= ", "if t then 1 else ", "1", ""),
        ("= ", "for i in l return ", "1", ""),
        ("= ", "x in (", "1", ")"),
        ("= ", "l[", "1", "]"),
        ("= ", "(t or t and 1 < 1 + 2 * 3 ** ", "1", ")"),
        ("= ", "(", "", ""),
        ("= ", "[", "", ""),
        ("${", "(", "1", ")"),
        ("${", "!", "t", ""),
        ("${", "empty ", "t", ""),
        ("${", "t?1:", "1", ""),
        ("${", "t?", "1", ":1"),
        ("${", "l[", "1", "]"),
        ("${", "(t || t && 1 == 1 < 1 + 2 * ", "1", ")"),
        ("${", "o.prop(", "1", ")"),
    ];
    on_a_small_stack(move || {
        for (start, open, middle, close) in nested {
            let end = if start == "${" { "}" } else { "" };
            for depth in (1..70).chain([100, 400, 700, 990]) {
                let source = format!("{start}{}{middle}{}{end}", open.repeat(depth), close.repeat(depth));
                if source.len() > 2_000 {
                    break;
                }
                let result = evaluate(&source);
                assert!(depth < 60 || result.unwrap_err().contains("syntax: "), "{source}");
            }
        }
    });
}

#[test]
fn a_usual_depth_is_fine() {
    assert_eq!(evaluate(&format!("= {}1{}", "(".repeat(50), ")".repeat(50))), Ok(json!(1)));
    assert_eq!(evaluate(&format!("= {}1{}", "1+(".repeat(25), ")".repeat(25))), Ok(json!(26)));
    assert_eq!(evaluate(&format!("= {}99", "if x = 9 then 1 else ".repeat(25))), Ok(json!(99)));
}

#[test]
fn variables_nested_too_deeply_are_refused() {
    on_a_small_stack(|| {
        let mut variables = large_variables();
        for source in
            ["= deep", "= deep = deep", "= flatten(deep)", "= string(deep)", "${deep}", "a ${deep}", "${deep == deep}"]
        {
            assert!(timed(source, &variables).unwrap_err().contains("100 deep"), "{source}");
        }
        assert_eq!(timed("= count(deep)", &variables), Ok(json!(1)));
        variables.remove("deep");
    });
}

/// A small generator (xorshift): the same soup every time.
struct Soup(u64);

impl Soup {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn text(&mut self, words: &[&str], length: usize) -> String {
        (0..length).map(|_| words.get(self.below(words.len())).copied().unwrap_or_default()).collect()
    }
}

const WORDS: [&str; 119] = [
    " ",
    " ",
    " ",
    " ",
    "x",
    "l",
    "o",
    "s",
    "t",
    "nosuch",
    "nothing",
    "item",
    "1",
    "2",
    "0",
    "-1",
    "1.5",
    ".5",
    "1e6000",
    "1e-6000",
    "9999999999999999999999999999999999",
    "9223372036854775807",
    "\"a\"",
    "\"\"",
    "'b'",
    "\"PT1H\"",
    "+",
    "-",
    "*",
    "/",
    "**",
    "%",
    "=",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "!",
    "?",
    ":",
    ".",
    "..",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "${",
    "\\",
    "\"",
    "'",
    "`",
    "@",
    "@\"2020-01-31\"",
    "//",
    "/*",
    " and ",
    " or ",
    " not ",
    " empty ",
    " div ",
    " mod ",
    " eq ",
    " in ",
    " between ",
    "if ",
    " then ",
    " else ",
    "for i in ",
    "some i in ",
    "every i in ",
    " return ",
    " satisfies ",
    "i",
    "abs(",
    "append(",
    "count(",
    "cycle(",
    "concatenate(",
    "contains(",
    "date(",
    "date and time(",
    "decimal(",
    "distinct values(",
    "duration(",
    "flatten(",
    "floor(",
    "get value(",
    "get or else(",
    "index of(",
    "is defined(",
    "matches(",
    "max(",
    "mean(",
    "modulo(",
    "not(",
    "now()",
    "number(",
    "replace(",
    "round up(",
    "split(",
    "string(",
    "string join(",
    "substring(",
    "sum(",
    "time(",
    "today()",
    ".year",
    ".time offset",
    ".prop(",
    ".value()",
    "true",
    "null",
    "é",
    "😀",
];

#[test]
fn token_soup_never_panics() {
    let variables = variables();
    let mut soup = Soup(0x9E37_79B9_7F4A_7C15);
    let mut evaluated = 0;
    for round in 0..40_000 {
        let length = soup.below(12) + 1;
        let body = soup.text(&WORDS, length);
        let source = if round % 3 == 0 { format!("${{{body}}}") } else { format!("={body}") };
        if let Ok(expression) = Expression::parse(&source) {
            let first = expression.evaluate(&variables, now(), &Budget::default());
            assert_eq!(first, expression.evaluate(&variables, now(), &Budget::default()), "{source}");
            evaluated += usize::from(first.is_ok());
            let _ = expression.condition(&variables, now(), &Budget::default());
        }
    }
    assert!(evaluated > 500, "only {evaluated} of the soups came to a value");
}

const VALUES: &[&str] = &[
    "null",
    "true",
    "-3",
    "0",
    "1.5",
    "1e6144",
    "1e-6144",
    "9999999999999999999999999999999999",
    "\"\"",
    "\"a-1\"",
    "\"(\"",
    "\"2020-01-31\"",
    "[]",
    "[1,null,\"a\"]",
    "l",
    "{}",
    "o",
    "o.list",
    "[1..3]",
    "date(\"9999-12-31\")",
    "date and time(\"-009999-01-01T00:00:00Z\")",
    "now()",
    "time(\"23:59:59.999999999\")",
    "time(\"10:00:00+01:00\")",
    "duration(\"P9998Y\")",
    "duration(\"-PT631107417600S\")",
    "duration(\"PT0.000000001S\")",
    "nosuch",
];

const OPERATORS: &[&str] = &["+", "-", "*", "/", "**", "=", "!=", "<", ">=", " and ", " or ", " in "];

const UNARY: &[&str] = &[
    "abs(_)",
    "ceiling(_)",
    "count(_)",
    "date and time(_)",
    "date(_)",
    "distinct values(_)",
    "duration(_)",
    "flatten(_)",
    "floor(_)",
    "get entries(_)",
    "is defined(_)",
    "lower case(_)",
    "max(_)",
    "mean(_)",
    "min(_)",
    "not(_)",
    "number(_)",
    "reverse(_)",
    "round up(_)",
    "string join(_)",
    "string length(_)",
    "string(_)",
    "sum(_)",
    "time(_)",
    "upper case(_)",
    "-_",
    "_[1]",
    "_[-1]",
    "_[item = 1]",
    "_.a",
    "_.year",
    "_.hour",
    "_.days",
    "_.time offset",
    "for i in _ return i",
    "some i in _ satisfies i = 1",
    "if _ then 1 else 2",
    "_ between _ and _",
    "@\"P1D\" * _",
];

const BINARY: &[&str] = &[
    "append(_,#)",
    "concatenate(_,#)",
    "contains(_,#)",
    "context put(_,\"a\",#)",
    "context merge(_,#)",
    "date and time(_,#)",
    "decimal(_,#)",
    "floor(_,#)",
    "get or else(_,#)",
    "get value(_,#)",
    "index of(_,#)",
    "list contains(_,#)",
    "matches(_,#)",
    "modulo(_,#)",
    "replace(_,#,\"$1\")",
    "round half up(_,#)",
    "split(_,#)",
    "starts with(_,#)",
    "string join(_,#)",
    "substring(_,#)",
    "substring(\"foobar\",_,#)",
    "substring after(_,#)",
    "sum(_,#)",
    "cycle(_,#)",
    "max(_,#)",
    "time(_,#,1)",
    "date(_,#,1)",
    "number(_,#)",
    "for i in _..# return 1",
    "_ in [#.._]",
    "_[#]",
];

/// Well-formed expressions of random values: every operator and function meets every type.
#[test]
fn every_operator_and_function_takes_every_type() {
    let variables = variables();
    let run = |source: String| {
        let source = format!("= {source}");
        let _ = Expression::parse(&source).unwrap_or_else(|error| panic!("{source}: {error}")).evaluate(
            &variables,
            now(),
            &Budget::default(),
        );
    };
    for left in VALUES {
        for form in UNARY {
            run(form.replace('_', left));
        }
        for right in VALUES {
            for operator in OPERATORS {
                run(format!("{left}{operator}{right}"));
            }
            for form in BINARY {
                run(form.replace('_', left).replace('#', right));
            }
        }
    }
}
