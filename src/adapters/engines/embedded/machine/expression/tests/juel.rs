//! JUEL, as Camunda 7 evaluates it.

use super::{check, check_errors, condition, evaluate};
use serde_json::json;

#[test]
fn operators_and_coercions() {
    check(
        "${",
        "}",
        &[
            ("x", "5"),
            ("x > 3", "true"),
            ("x gt 3 and x le 5", "true"),
            ("x lt 3 or not t", "false"),
            ("x ne 5 || x eq 5", "true"),
            ("!f && t", "true"),
            ("not f", "true"),
            ("x ge 5", "true"),
            ("1 + 2 * 3", "7"),
            ("(1 + 2) * 3", "9"),
            ("7 / 2", "3.5"),
            ("7 div 2", "3.5"),
            ("7 % 4", "3"),
            ("-7 mod 4", "-3"),
            ("10 - 3 - 2", "5"),
            ("x -1", "4"),
            ("-x", "-5"),
            ("- -x", "5"),
            ("'1' + 2", "3"),
            ("price + 1", "13.5"),
            ("nothing + 1", "1"),
            ("nothing * 2", "0"),
            ("-nothing", "0"),
            ("'' + 1", "1"),
            ("0.1 + 0.2", "0.3"),
            ("9223372036854775807 + 1", "9223372036854775808"),
            ("1e3", "1000"),
            ("false == 'no'", "true"),
            ("f == no", "true"),
            ("t == 'TRUE'", "true"),
            ("x == '5'", "true"),
            ("x == '5.0'", "true"),
            ("s == 'foobar'", "true"),
            ("s != \"foobar\"", "false"),
            ("nothing == null", "true"),
            ("x == null", "false"),
            ("null == 0", "false"),
            ("nothing < 1", "false"),
            ("nothing <= null", "true"),
            ("'10' < 9", "false"),
            ("'a' < 'b'", "true"),
            ("f < t", "true"),
            ("l == l", "true"),
            ("empty nothing", "true"),
            ("empty empty_text", "true"),
            ("empty none", "true"),
            ("empty l", "false"),
            ("not empty x", "true"),
            ("!empty o", "true"),
            ("x > 3 ? 'big' : 'small'", "\"big\""),
            ("x > 9 ? 'big' : x > 4 ? 'middle' : 'small'", "\"middle\""),
            ("no ? 1 : 2", "2"),
            ("'it\\'s'", "\"it's\""),
            ("'a\\\\b'", "\"a\\\\b\""),
            ("'}'", "\"}\""),
            ("true", "true"),
            ("null", "null"),
            ("1 < 2 == true", "true"),
        ],
    );
}

#[test]
fn paths_and_methods() {
    check(
        "${",
        "}",
        &[
            ("o.a.b", "7"),
            ("o['a']['b']", "7"),
            ("o[\"a key\"]", "1"),
            ("o.list[1].n", "\"b\""),
            ("l[0]", "1"),
            ("l['1']", "2"),
            ("l[9]", "null"),
            ("l[-1]", "null"),
            ("o.nosuch", "null"),
            ("o.nosuch.deeper", "null"),
            ("nothing.a", "null"),
            ("o", r#"{"a":{"b":7},"list":[{"p":1,"n":"a"},{"p":5,"n":"b"}],"a key":1,"nothing":null}"#),
            ("customer.prop('age').numberValue() > 18", "true"),
            ("customer.prop(\"name\").stringValue()", "\"Ada\""),
            ("customer.prop('vip').boolValue()", "true"),
            ("customer.prop('age').value()", "42"),
            ("customer.prop('age').numberValue() >= 18 && customer.vip", "true"),
        ],
    );
}

#[test]
fn text_around_an_expression() {
    check(
        "",
        "",
        &[
            ("order-${x}", "\"order-5\""),
            ("${x}${x}", "\"55\""),
            ("${x} ", "\"5 \""),
            ("${s}: ${x > 3 ? 'yes' : 'no'}!", "\"foobar: yes!\""),
            ("[${nothing}]", "\"[]\""),
            ("${t} ${l} ${o.a}", r#""true [1,2,3] {\"b\":7}""#),
            ("costs $5 or ${x}", "\"costs $5 or 5\""),
            ("\\${x} ${x}", "\"${x} 5\""),
            ("\\${x}", "\"${x}\""),
            ("#{x} ${x}", "\"#{x} 5\""),
        ],
    );
}

#[test]
fn what_juel_refuses_to_evaluate() {
    check_errors(&[
        ("${nosuch}", "unknown identifier `nosuch`"),
        ("${nosuch == null}", "unknown identifier `nosuch`"),
        ("${empty nosuch}", "unknown identifier `nosuch`"),
        ("${t && nosuch}", "unknown identifier `nosuch`"),
        ("${s + 1}", "the text is not a number"),
        ("${t + 1}", "a boolean is not a number"),
        ("${t == 1}", "a boolean is not a number"),
        ("${x == 'a'}", "the text is not a number"),
        ("${x ? 1 : 2}", "a number is not true or false"),
        ("${1 / 0}", "division by zero"),
        ("${1 % 0}", "division by zero"),
        ("${s.foo}", "a text has no property `foo`"),
        ("${l.foo}", "a list has no property `foo`"),
        ("${l['a']}", "the text is not a number"),
        ("${l < o}", "a list and an object cannot be compared"),
        ("${customer.prop('nosuch')}", "unknown property `nosuch`"),
        ("${customer.prop('name').numberValue()}", "a text is not a number"),
        ("${x.prop('name')}", "a number has no properties"),
        ("${1e6000 * 1e6000}", "too large"),
    ]);
    assert_eq!(evaluate("${f && nosuch}"), Ok(json!(false)));
}

#[test]
fn what_juel_refuses_to_read() {
    check_errors(&[
        ("${", "syntax: the closing `}` is missing"),
        ("${x", "syntax: the closing `}` is missing"),
        ("${}", "syntax: expected a value, found the end"),
        ("${x +}", "syntax: expected a value"),
        ("${x y}", "syntax: expected the end of the expression, found `y`"),
        ("${(x}", "syntax: expected `)`"),
        ("${'x}", "syntax: the text is not closed"),
        ("${x = 5}", "syntax: expected the end"),
        ("${execution.getVariable('x')}", "syntax: unknown method `getVariable`"),
        ("${now()}", "syntax: functions are not supported"),
        ("${x ? 1}", "syntax: expected `:`"),
        ("${x.}", "syntax: expected a name"),
        ("${eq}", "syntax: expected a value, found `eq`"),
        ("${1x}", "syntax: a name cannot start with a digit"),
        ("${x # 1}", "syntax: unexpected character `#`"),
        ("${x.prop()}", "syntax: expected a value"),
        ("${1e999999}", "too large a number"),
    ]);
}

#[test]
fn conditions_are_coerced() {
    assert_eq!(condition("${x > 3}"), Ok(true));
    assert_eq!(condition("${nothing}"), Ok(false));
    assert_eq!(condition("${no}"), Ok(false));
    assert_eq!(condition("${'True'}"), Ok(true));
    assert_eq!(condition("${x}"), Err("a number is not true or false".to_owned()));
    assert_eq!(condition("${nosuch}"), Err("unknown identifier `nosuch`".to_owned()));
}
