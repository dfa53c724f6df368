use super::super::read;
use super::{errors, file, process};

/// The one error of a model that is otherwise fine.
fn error(elements: &str) -> String {
    let errors = errors(&format!("<:startEvent id=\"start\"/>{elements}"));
    assert_eq!(errors.len(), 1, "{elements}: {errors:#?}");
    errors[0].to_string()
}

#[test]
fn what_cannot_run_is_refused_with_advice() {
    for (element, says) in [
        (r#"<:callActivity id="x"/>"#, "call activities"),
        (r#"<:inclusiveGateway id="x"/>"#, "inclusive gateways"),
        (r#"<:complexGateway id="x"/>"#, "complex gateways"),
        (r#"<:transaction id="x"/>"#, "transactions"),
        (r#"<:adHocSubProcess id="x"/>"#, "ad-hoc"),
        (r#"<:subProcess id="x" triggeredByEvent="true"/>"#, "event sub-processes"),
        (
            r#"<:subProcess id="x" triggeredByEvent="true"><:startEvent id="y"><:messageEventDefinition messageRef="msg"/></:startEvent></:subProcess>"#,
            "event sub-processes",
        ),
        (r#"<:adHocSubProcess id="x"><:task id="y"/></:adHocSubProcess>"#, "ad-hoc"),
        (r#"<:choreographyTask id="x"/>"#, "choreographyTask"),
        (r#"<:task id="x"><:multiInstanceLoopCharacteristics/></:task>"#, "multi-instance"),
        (r#"<:task id="x"><:standardLoopCharacteristics/></:task>"#, "standard loops"),
        (r#"<:task id="x" isForCompensation="true"/>"#, "compensation"),
        (r#"<:serviceTask id="x" camunda:class="com.acme.D"/>"#, "Java"),
        (r#"<:serviceTask id="x" camunda:delegateExpression="${d}"/>"#, "Java"),
        (r#"<:serviceTask id="x" camunda:expression="${d.run()}"/>"#, "Java"),
        (r#"<:serviceTask id="x"/>"#, "no job type"),
        (r#"<:sendTask id="x"/>"#, "no job type"),
        (r#"<:serviceTask id="x" camunda:type="external"/>"#, "the topic is missing"),
        (r#"<:scriptTask id="x" scriptFormat="groovy"><:script>1</:script></:scriptTask>"#, "scripts"),
        (r#"<:businessRuleTask id="x" camunda:decisionRef="d"/>"#, "decisions"),
        (
            r#"<:task id="x"><:extensionElements><camunda:executionListener event="start"/></:extensionElements></:task>"#,
            "listeners",
        ),
        (
            r#"<:userTask id="x"><:extensionElements><camunda:taskListener event="create"/></:extensionElements></:userTask>"#,
            "listeners",
        ),
        (
            r#"<:userTask id="x"><:extensionElements><zeebe:taskListeners><zeebe:taskListener/></zeebe:taskListeners></:extensionElements></:userTask>"#,
            "listeners",
        ),
        (r#"<job id="x"><:extensionElements><camunda:connector/></:extensionElements></:serviceTask>"#, "connectors"),
        (
            r#"<job id="x"><:extensionElements><zeebe:taskDefinition type="x"/></:extensionElements></:serviceTask>"#,
            "keep one",
        ),
    ] {
        let message = error(element);
        assert!(message.contains(says), "{element}: {message}");
    }
}

#[test]
fn events_and_gateways_that_cannot_run_are_refused_with_advice() {
    for (element, says) in [
        (r#"<:receiveTask id="x" instantiate="true" messageRef="msg"/>"#, "starts instances"),
        (r#"<:eventBasedGateway id="x" instantiate="true"/>"#, "starts instances"),
        (
            r#"<:intermediateThrowEvent id="x"><:signalEventDefinition signalRef="sig"/></:intermediateThrowEvent>"#,
            "signal throw event",
        ),
        (r#"<:intermediateThrowEvent id="x"><:escalationEventDefinition/></:intermediateThrowEvent>"#, "escalation"),
        (
            r#"<:intermediateThrowEvent id="x"><:compensateEventDefinition/></:intermediateThrowEvent>"#,
            "compensation throw events",
        ),
        (r#"<:intermediateCatchEvent id="x"><:linkEventDefinition name="l"/></:intermediateCatchEvent>"#, "link"),
        (r#"<:intermediateCatchEvent id="x"><:conditionalEventDefinition/></:intermediateCatchEvent>"#, "conditional"),
        (r#"<:intermediateCatchEvent id="x"/>"#, "needs a message, timer or signal"),
        (r#"<:endEvent id="x"><:messageEventDefinition messageRef="msg"/></:endEvent>"#, "message end event"),
        (r#"<:endEvent id="x"><:cancelEventDefinition/></:endEvent>"#, "cancel"),
        (
            r#"<:endEvent id="x"><:terminateEventDefinition/><:errorEventDefinition errorRef="err1"/></:endEvent>"#,
            "several event definitions",
        ),
        (r#"<:startEvent id="x"><:conditionalEventDefinition/></:startEvent>"#, "conditional start event"),
        (
            r#"<:startEvent id="x" camunda:initiator="who"><:messageEventDefinition messageRef="msg"/></:startEvent>"#,
            "initiator",
        ),
        (r#"<:startEvent id="x"/>"#, "more than one none start"),
        (
            r#"<:startEvent id="x"><:messageEventDefinition messageRef="msg"/></:startEvent><:startEvent id="y"><:messageEventDefinition messageRef="msg"/></:startEvent>"#,
            "more than one start event waits for the message 'Paid'",
        ),
        (r#"<:subProcess id="x"/>"#, "no none start"),
        (r#"<:userTask id="x"><:potentialOwner/></:userTask>"#, "potentialOwner"),
        (
            r#"<:endEvent id="x"><:extensionElements><zeebe:ioMapping><zeebe:output source="=a" target="b"/></zeebe:ioMapping></:extensionElements><:terminateEventDefinition/></:endEvent>"#,
            "never be carried out",
        ),
        (
            r#"<:task id="x"><:extensionElements><zeebe:ioMapping><zeebe:output source="=a" target="b..c"/></zeebe:ioMapping></:extensionElements></:task>"#,
            "needs a target",
        ),
        (r#"<:userTask id="x" camunda:dueDate="soon"/>"#, "the dueDate 'soon' is no ISO 8601 date"),
        (r#"<:userTask id="x" camunda:priority="high"/>"#, "the priority 'high' is no whole number"),
        (
            r#"<:serviceTask id="x"><:extensionElements><zeebe:taskDefinition type="t" retries="0"/></:extensionElements></:serviceTask>"#,
            "from 1 on",
        ),
        (
            r#"<:serviceTask id="x"><:extensionElements><zeebe:taskDefinition/></:extensionElements></:serviceTask>"#,
            "the job type is missing",
        ),
        ("<:task/>", "no id"),
        (r#"<:eventBasedGateway id="x"/>"#, "needs flows"),
        (
            r#"<:parallelGateway id="x"><:extensionElements><camunda:inputOutput><camunda:inputParameter name="a">1</camunda:inputParameter></camunda:inputOutput></:extensionElements></:parallelGateway>"#,
            "mappings at a gateway",
        ),
    ] {
        let message = error(element);
        assert!(message.contains(says), "{element}: {message}");
    }
}

#[test]
fn what_leads_nowhere_is_refused() {
    for (element, says) in [
        (
            "<:task id=\"x\"/><:sequenceFlow id=\"f\" sourceRef=\"x\" targetRef=\"gone\"/>",
            "targetRef 'gone' leads nowhere",
        ),
        (
            "<:task id=\"x\"/><:sequenceFlow id=\"f\" sourceRef=\"gone\" targetRef=\"x\"/>",
            "sourceRef 'gone' leads nowhere",
        ),
        ("<:task id=\"x\"/><:sequenceFlow id=\"f\" sourceRef=\"x\"/>", "targetRef is missing"),
        ("<:task id=\"x\" default=\"gone\"/>", "default 'gone'"),
        (
            "<:boundaryEvent id=\"x\" attachedToRef=\"gone\"><:errorEventDefinition/></:boundaryEvent>",
            "attachedToRef 'gone' leads nowhere",
        ),
        ("<:boundaryEvent id=\"x\"><:errorEventDefinition/></:boundaryEvent>", "attachedToRef is missing"),
        ("<:boundaryEvent id=\"x\" attachedToRef=\"start\"><:errorEventDefinition/></:boundaryEvent>", "is no task"),
        ("<:receiveTask id=\"x\" messageRef=\"gone\"/>", "messageRef 'gone' leads nowhere"),
        ("<:receiveTask id=\"x\"/>", "messageRef is missing"),
        ("<:endEvent id=\"x\"><:errorEventDefinition errorRef=\"gone\"/></:endEvent>", "errorRef 'gone' leads nowhere"),
        (
            "<:intermediateCatchEvent id=\"x\"><:signalEventDefinition signalRef=\"gone\"/></:intermediateCatchEvent>",
            "signalRef 'gone'",
        ),
        ("<:task id=\"x\"/><:task id=\"x\"/>", "used more than once"),
        ("<:subProcess id=\"y\"><:startEvent id=\"z\"/></:subProcess>\n@start -> z", "crosses the border"),
        ("<:task id=\"x\"/>\n@x -> start", "no flow may lead to a start"),
        ("<:endEvent id=\"x\"/><:task id=\"y\"/>\n@x -> y", "no flow may leave an end"),
        (
            "<:exclusiveGateway id=\"x\"/><:task id=\"y\"/><:task id=\"z\"/><:task id=\"u\"/>\n@x -> y\n@x -> u: ${a}\n",
            "",
        ),
        ("<:parallelGateway id=\"x\"/><:task id=\"y\"/>\n@x -> y: ${a}", "has a condition, which this gateway"),
        ("<:eventBasedGateway id=\"x\"/><:task id=\"y\"/>\n@x -> y", "must lead to a catch event"),
        ("<:exclusiveGateway id=\"x\" default=\"x_y\"/><:task id=\"y\"/>\n@x -> y: ${a}", "has a condition: remove"),
    ] {
        if says.is_empty() {
            process(&format!("<:startEvent id=\"start\"/>{element}"));
            continue;
        }
        let message = error(element);
        assert!(message.contains(says), "{element}: {message}");
    }
}

#[test]
fn expressions_and_timers_are_read_at_deploy() {
    for (element, says) in [
        ("<:task id=\"x\"/><:task id=\"y\"/>\n@x -> y: ${a +}", "the condition '${a +}'"),
        ("<:task id=\"x\"/><:task id=\"y\"/>\n@x -> y: a > 1", "is no expression"),
        (
            "<:exclusiveGateway id=\"x\"/><:task id=\"y\"/><:task id=\"z\"/>\n@x -> y: ${a +}\n@x -> z",
            "'x_y': the condition '${a +}'",
        ),
        ("<:userTask id=\"x\" camunda:assignee=\"${a +}\"/>", "the assignee"),
        (
            "<:intermediateCatchEvent id=\"x\"><:timerEventDefinition><:timeDuration>soon</:timeDuration></:timerEventDefinition></:intermediateCatchEvent>",
            "'soon' is no ISO 8601 duration",
        ),
        (
            "<:intermediateCatchEvent id=\"x\"><:timerEventDefinition><:timeDate>soon</:timeDate></:timerEventDefinition></:intermediateCatchEvent>",
            "'soon' is no ISO 8601 date",
        ),
        (
            "<:intermediateCatchEvent id=\"x\"><:timerEventDefinition><:timeCycle>0 0 9 * * *</:timeCycle></:timerEventDefinition></:intermediateCatchEvent>",
            "cron is not supported",
        ),
        (
            "<:intermediateCatchEvent id=\"x\"><:timerEventDefinition><:timeCycle>R0/PT1S</:timeCycle></:timerEventDefinition></:intermediateCatchEvent>",
            "does not repeat",
        ),
        (
            "<:intermediateCatchEvent id=\"x\"><:timerEventDefinition><:timeCycle>R/PT0S</:timeCycle></:timerEventDefinition></:intermediateCatchEvent>",
            "longer than nothing",
        ),
        (
            "<:intermediateCatchEvent id=\"x\"><:timerEventDefinition/></:intermediateCatchEvent>",
            "a timer needs one of",
        ),
    ] {
        let message = error(element);
        assert!(message.contains(says), "{element}: {message}");
    }
}

#[test]
fn the_list_is_complete_and_in_the_order_of_the_file() {
    let xml = file(
        "<:startEvent id=\"start\"/>\n<:callActivity id=\"one\"/>\n<:scriptTask id=\"two\"/>\n  <:userTask id=\"three\" camunda:assignee=\"${a +}\"/>\n<:task id=\"four\"/>\n@four -> five",
    );
    let errors = read(&xml).unwrap_err();
    let places: Vec<_> = errors.iter().map(|e| (e.line, e.column, e.element_id.as_deref().unwrap())).collect();
    assert_eq!(places, [(6, 1, "one"), (7, 1, "two"), (8, 3, "three"), (10, 1, "four_five")]);
}

#[test]
fn a_file_without_an_executable_process_is_refused() {
    let errors = read(&file("<:startEvent id=\"s1\"/>").replace(" isExecutable=\"true\"", "")).unwrap_err();
    assert!(errors[0].message.contains("no process is executable"), "{errors:?}");
    let errors = read(&file("")).unwrap_err();
    assert!(errors[0].message.contains("no start event"), "{errors:?}");
}

#[test]
fn two_processes_with_one_id_are_refused() {
    let xml = file("<:startEvent id=\"s1\"/>").replace(
        "</bpmn:definitions>",
        "<bpmn:process id=\"p\" isExecutable=\"true\"><bpmn:startEvent id=\"s2\"/></bpmn:process></bpmn:definitions>",
    );
    let errors = read(&xml).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message.contains("two processes have the id 'p'"), "{errors:?}");
}

#[test]
fn every_executable_process_is_read() {
    let xml = file("<:startEvent id=\"s1\"/>").replace("</bpmn:definitions>", "<bpmn:process id=\"q\" isExecutable=\"true\"><bpmn:startEvent id=\"s2\"/></bpmn:process><bpmn:process id=\"r\"><bpmn:callActivity id=\"c\"/></bpmn:process></bpmn:definitions>");
    let keys: Vec<_> = read(&xml).unwrap().iter().map(|process| process.key().to_owned()).collect();
    assert_eq!(keys, ["p", "q"]);
}

#[test]
fn what_changes_nothing_is_ignored() {
    process(
        r#"<:documentation>x</:documentation><:extensionElements><zeebe:versionTag value="1"/><acme:x xmlns:acme="urn:acme"/></:extensionElements>
        <:laneSet id="l"><:lane id="l1"><:flowNodeRef>start</:flowNodeRef></:lane></:laneSet>
        <:startEvent id="start" camunda:asyncBefore="true"/><:dataObject id="d"/><:dataObjectReference id="dr" dataObjectRef="d"/>
        <:userTask id="u"><:ioSpecification/><:property id="pr"/><:dataInputAssociation id="da"/></:userTask>
        <:textAnnotation id="ta"><:text>hi</:text></:textAnnotation><:association id="as" sourceRef="u" targetRef="ta"/><:group id="g"/>"#,
    );
}

#[test]
fn a_declared_encoding_means_nothing() {
    let xml = file("<:startEvent id=\"s1\"/>");
    for declaration in ["encoding=\"UTF-16\"", "encoding=\"ISO-8859-1\"", "encoding=\"nonsense\"", "standalone=\"yes\""]
    {
        read(&xml.replace("encoding=\"UTF-8\"", declaration)).unwrap();
    }
    read(&format!("\u{feff}{xml}")).unwrap();
    read(&format!("\n  {xml}")).unwrap();
}

#[test]
fn lines_are_those_of_the_file() {
    let bad = file("<:startEvent id=\"s1\"/><:callActivity id=\"c\"/>");
    let line = |xml: &str| read(xml).unwrap_err()[0].line;
    assert_eq!((line(&bad), line(&format!("\u{feff}\n \n{bad}"))), (5, 7));
    assert_eq!((line("<a>\n<b></a>"), line("\n\n<a>\n<b></a>")), (2, 4));
}
