//! Reads `text/event-stream` (WHATWG HTML, section 9.2) as it comes in pieces.

/// No event is longer: the stream is not one of ours otherwise.
const MAX_EVENT: usize = 32 << 20;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SseEvent {
    pub(super) id: Option<String>,
    pub(super) data: String,
}

/// The stream holds more than an event may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Turns pieces into events.
#[derive(Debug, Default)]
pub(super) struct SseReader {
    buffer: Vec<u8>,
    event: SseEvent,
    data_lines: usize,
}

impl SseReader {
    /// Takes a piece, and gives the events that it completes.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<Vec<SseEvent>, TooLong> {
        self.buffer.extend_from_slice(piece);
        let mut events = Vec::new();
        let mut start = 0;
        while let Some(length) = self.buffer.iter().skip(start).position(|byte| *byte == b'\n') {
            let line = self.buffer.get(start..start + length).unwrap_or_default();
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
            start += length + 1;
            events.extend(self.line(&line));
        }
        self.buffer.drain(..start);
        if self.buffer.len() + self.event.data.len() > MAX_EVENT { Err(TooLong) } else { Ok(events) }
    }

    fn line(&mut self, line: &str) -> Option<SseEvent> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let complete = std::mem::take(&mut self.data_lines) > 0;
            return complete.then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if self.data_lines > 0 {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.data_lines += 1;
            }
            _ => {} // comments (heartbeats), `event` (the data names it too), `retry`
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, data: &str) -> SseEvent {
        SseEvent { id: Some(id.to_owned()), data: data.to_owned() }
    }

    #[test]
    fn events_come_out_whole_however_they_are_cut() {
        let stream = ": hello\n\nid: 17\nevent: a.b\ndata: {\"a\":\ndata: 1}\n\n:\r\nid:18\r\ndata:ü\r\n\r\n";
        let expected = [event("17", "{\"a\":\n1}"), event("18", "ü")];
        for size in 1..stream.len() {
            let mut reader = SseReader::default();
            let events: Vec<_> = stream.as_bytes().chunks(size).flat_map(|piece| reader.feed(piece).unwrap()).collect();
            assert_eq!(events, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut reader = SseReader::default();
        assert_eq!(reader.feed(&vec![b'x'; MAX_EVENT + 1]), Err(TooLong));
    }
}
