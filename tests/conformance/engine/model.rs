//! BPMN files in short hand.

/// A file with the process `p` of these elements. `<:` and `</:` stand for the BPMN prefix, `<job ` for a service task of the
/// topic `t`, and a line `@a -> b` for a flow from a to b, `@a -> b: ${x}` for one with a condition.
pub(super) fn file(body: &str) -> String {
    process("p", body)
}

/// The same, of another process id.
pub(super) fn process(id: &str, body: &str) -> String {
    definitions(&format!(
        r#"<:process id="{id}" isExecutable="true">{body}
</:process>"#
    ))
}

/// A file of these root elements. It knows the messages `m` (Paid), `mz` (Paid, correlated by `orderId`), the signal `s`
/// (Stop) and the errors `e1` and `e2` (E1, E2).
pub(super) fn definitions(roots: &str) -> String {
    let roots: String = roots.lines().map(expand).collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0">
<bpmn:message id="m" name="Paid"/><bpmn:message id="mz" name="Paid"><bpmn:extensionElements><zeebe:subscription correlationKey="=orderId"/></bpmn:extensionElements></bpmn:message>
<bpmn:signal id="s" name="Stop"/><bpmn:error id="e1" errorCode="E1"/><bpmn:error id="e2" errorCode="E2"/>
{roots}</bpmn:definitions>"#
    )
}

fn expand(line: &str) -> String {
    let line = match line.trim().strip_prefix('@') {
        Some(flow) => sequence_flow(flow),
        None => line
            .replace("<job ", r#"<:serviceTask camunda:type="external" camunda:topic="t" "#)
            .replace("</job>", "</:serviceTask>"),
    };
    line.replace("<:", "<bpmn:").replace("</:", "</bpmn:") + "\n"
}

fn sequence_flow(flow: &str) -> String {
    let (ends, condition) = flow.split_once(": ").map_or((flow, None), |(ends, text)| (ends, Some(text)));
    let (source, target) = ends.split_once(" -> ").unwrap();
    let condition = condition
        .map(|text| text.replace('&', "&amp;").replace('<', "&lt;"))
        .map(|text| format!("<:conditionExpression>{text}</:conditionExpression>"));
    format!(
        r#"<:sequenceFlow id="{source}_{target}" sourceRef="{source}" targetRef="{target}">{}</:sequenceFlow>"#,
        condition.unwrap_or_default()
    )
}

/// Start, one job `work` of the topic `t`, end.
pub(super) const ONE_JOB: &str = r#"<:startEvent id="start"/><job id="work"/><:endEvent id="end"/>
@start -> work
@work -> end"#;

/// Start, one user task `ask`, end.
pub(super) const ONE_TASK: &str = r#"<:startEvent id="start"/><:userTask id="ask" name="Ask"/><:endEvent id="end"/>
@start -> ask
@ask -> end"#;
