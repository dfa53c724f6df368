//! Small models, written as text so that a test shows what it deploys.

/// The example of the README under another key.
pub(super) fn order(key: &str) -> String {
    include_str!("../../examples/order.bpmn").replace("process id=\"order\"", &format!("process id=\"{key}\""))
}

/// A file with these elements: processes and what stands beside them.
pub(super) fn file(elements: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
                  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
                  xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
                  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
                  id="definitions" targetNamespace="https://tidegate.dev/tests">
{elements}
</bpmn:definitions>"#
    )
}

/// An executable process of these elements.
pub(super) fn process(key: &str, elements: &str) -> String {
    format!("<bpmn:process id=\"{key}\" isExecutable=\"true\">\n{elements}\n</bpmn:process>")
}

pub(super) fn flow(from: &str, to: &str) -> String {
    format!("<bpmn:sequenceFlow id=\"{from}_to_{to}\" sourceRef=\"{from}\" targetRef=\"{to}\" />\n")
}

fn id_of(element: &str) -> &str {
    element.split("id=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an element with an id")
}

/// The same elements under other ids, as a file with several processes needs.
pub(super) fn renamed(elements: &str, suffix: &str) -> String {
    let mut text = elements.to_owned();
    for name in ["id=\"", "sourceRef=\"", "targetRef=\""] {
        let parts: Vec<String> = text
            .split(&format!(" {name}"))
            .enumerate()
            .map(|(at, part)| if at == 0 { part.to_owned() } else { part.replacen('"', &format!("{suffix}\""), 1) })
            .collect();
        text = parts.join(&format!(" {name}"));
    }
    text
}

/// `start`, these elements one after the other, `end`.
pub(super) fn steps(elements: &[&str]) -> String {
    let mut text = String::from("<bpmn:startEvent id=\"start\" />\n");
    let mut last = "start";
    for element in elements {
        text += element;
        text += "\n";
        text += &flow(last, id_of(element));
        last = id_of(element);
    }
    text + "<bpmn:endEvent id=\"end\" />\n" + &flow(last, "end")
}

/// A file with one process of steps.
pub(super) fn linear(key: &str, elements: &[&str]) -> String {
    file(&process(key, &steps(elements)))
}

/// A job of Camunda's dialect.
pub(super) fn service(id: &str) -> String {
    format!("<bpmn:serviceTask id=\"{id}\" name=\"Do {id}\" camunda:type=\"external\" camunda:topic=\"{id}\" />")
}

/// A job of Zeebe's dialect with headers.
pub(super) fn zeebe_service(id: &str, retries: &str) -> String {
    format!(
        "<bpmn:serviceTask id=\"{id}\"><bpmn:extensionElements><zeebe:taskDefinition type=\"{id}\" retries=\"{retries}\" />\
         <zeebe:taskHeaders><zeebe:header key=\"method\" value=\"card\" /></zeebe:taskHeaders>\
         </bpmn:extensionElements></bpmn:serviceTask>"
    )
}

/// A user task with attributes.
pub(super) fn user(id: &str, attributes: &str) -> String {
    format!("<bpmn:userTask id=\"{id}\" name=\"Please {id}\" {attributes} />")
}

/// An intermediate event that waits for a duration, a date or a cycle.
pub(super) fn timer(id: &str, duration: &str) -> String {
    format!(
        "<bpmn:intermediateCatchEvent id=\"{id}\"><bpmn:timerEventDefinition id=\"{id}_timer\">\
         <bpmn:timeDuration xsi:type=\"bpmn:tFormalExpression\">{duration}</bpmn:timeDuration>\
         </bpmn:timerEventDefinition></bpmn:intermediateCatchEvent>"
    )
}

/// A receive task for the message that [`message`] declares.
pub(super) fn receive(id: &str, message: &str) -> String {
    format!("<bpmn:receiveTask id=\"{id}\" messageRef=\"{message}\" />")
}

/// A message as Camunda's dialect has it: it finds its instance by the business key.
pub(super) fn message(id: &str, name: &str) -> String {
    format!("<bpmn:message id=\"{id}\" name=\"{name}\" />\n")
}

/// A message as Zeebe's dialect has it: it finds its instance by this key.
pub(super) fn keyed_message(id: &str, name: &str, key: &str) -> String {
    format!(
        "<bpmn:message id=\"{id}\" name=\"{name}\"><bpmn:extensionElements>\
         <zeebe:subscription correlationKey=\"{key}\" /></bpmn:extensionElements></bpmn:message>\n"
    )
}

/// A process that a message starts and a job ends.
pub(super) fn started_by(key: &str, message_id: &str) -> String {
    process(
        key,
        &format!(
            "<bpmn:startEvent id=\"start\"><bpmn:messageEventDefinition id=\"start_message\" messageRef=\"{message_id}\" />\
             </bpmn:startEvent>{}{}{}<bpmn:endEvent id=\"end\" />",
            service("work"),
            flow("start", "work"),
            flow("work", "end")
        ),
    )
}

/// An exclusive gateway whose first condition decides; what else there is is the default, or never true.
pub(super) fn choice(key: &str, condition: &str, otherwise: bool) -> String {
    let (default, never) = if otherwise {
        (" default=\"no\"", "")
    } else {
        ("", "<bpmn:conditionExpression xsi:type=\"bpmn:tFormalExpression\">${1 == 2}</bpmn:conditionExpression>")
    };
    file(&process(
        key,
        &format!(
            "<bpmn:startEvent id=\"start\" />{}<bpmn:exclusiveGateway id=\"which\"{default} />\n\
             <bpmn:sequenceFlow id=\"yes\" sourceRef=\"which\" targetRef=\"accepted\">\
             <bpmn:conditionExpression xsi:type=\"bpmn:tFormalExpression\">{condition}</bpmn:conditionExpression>\
             </bpmn:sequenceFlow><bpmn:sequenceFlow id=\"no\" sourceRef=\"which\" targetRef=\"refused\">{never}\
             </bpmn:sequenceFlow><bpmn:endEvent id=\"accepted\" /><bpmn:endEvent id=\"refused\" />",
            flow("start", "which"),
        ),
    ))
}
