//! JSON that comes in pieces: says of every value when it is complete, while the rest is still to come.
//!
//! Ground rules. One owner feeds bytes; they are kept, so that spans can be read. A byte is looked at
//! once, wherever the pieces were cut: in an escape, a surrogate pair, a character, a number. Only
//! keys are looked at again, against the other keys of their object. A number has no end of its own:
//! it closes with the byte behind it, or with `finish`. The first fault is the last word: every later
//! verb repeats it. Memory is bounded by [`Limits`]: the text, a frame a level, a node a container.
//!
//! What is refused here is what [`crate::arguments::check`] refuses: `tests/jsonstream/` holds both to
//! the same answers, and any way to cut a text to the same events.

mod event;
mod fault;
mod nest;
mod number;
mod text;

pub use event::{JsonEvent, Kind, Limits, Path, Segment, Span};
pub use fault::{JsonError, JsonFault};
use nest::Nest;
use number::Number;
use text::Text;

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    /// The first of an array, or its end.
    Item,
    /// The first of an object, or its end.
    FirstKey,
    Key,
    Colon,
    /// Behind a value: a comma, or the end of what it is in.
    After,
    Text(Text),
    KeyText(Text),
    Number(Number),
    /// What is left of `true`, `false` or `null`.
    Word(&'static [u8], Kind),
    Ended,
}

/// One text that comes in pieces.
#[derive(Debug)]
pub struct JsonStream {
    limits: Limits,
    /// Whether the text is a call's arguments: an object, or nothing at all.
    is_arguments: bool,
    text: Vec<u8>,
    at: usize,
    /// Where the text, number or word that is being read begins.
    start: usize,
    state: State,
    items: u32,
    nest: Nest,
    fault: Option<JsonError>,
}

impl JsonStream {
    /// For the arguments of a call: one object. Nothing at all counts as an empty one: models send it
    /// for tools without parameters.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            is_arguments: true,
            text: Vec::new(),
            at: 0,
            start: 0,
            state: State::Value,
            items: 0,
            nest: Nest::default(),
            fault: None,
        }
    }

    /// For any JSON: a result, a request. Nothing at all is cut.
    #[must_use]
    pub fn any(limits: Limits) -> Self {
        Self {
            is_arguments: false,
            ..Self::new(limits)
        }
    }

    /// Reads on. `events` gets what the piece completed, in the order of the text; also what came
    /// before a fault in it.
    pub fn feed(&mut self, piece: &[u8], events: &mut Vec<JsonEvent>) -> Result<(), JsonError> {
        if let Some(first) = &self.fault {
            return Err(first.clone());
        }
        let room = self.limits.bytes as usize - self.text.len();
        let taken = &piece[..piece.len().min(room)];
        self.text.extend_from_slice(taken);
        while self.at < self.text.len() {
            self.advance(events).map_err(|fault| self.fail(fault))?;
        }
        if taken.len() < piece.len() {
            return Err(self.fail(JsonFault::TooLarge {
                limit: self.limits.bytes,
            }));
        }
        Ok(())
    }

    /// The text has no more pieces. Safe to repeat.
    pub fn finish(&mut self, events: &mut Vec<JsonEvent>) -> Result<(), JsonError> {
        if let Some(first) = &self.fault {
            return Err(first.clone());
        }
        match self.state {
            State::Ended => return Ok(()),
            State::Value if self.is_arguments && self.nest.is_empty() => {
                self.state = State::Ended;
                events.push(JsonEvent::End);
                return Ok(());
            }
            State::Number(number) if number.is_whole() => {
                self.close_number(events)
                    .map_err(|fault| self.fail(fault))?;
            }
            _ => {}
        }
        if self.state == State::Ended {
            return Ok(());
        }
        Err(self.fail(JsonFault::Cut))
    }

    /// Whether the text is complete: `End` was told.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The bytes so far; those behind a limit are left out.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The bytes of a span: the JSON of a value as it was sent.
    #[must_use]
    pub fn slice(&self, span: Span) -> &[u8] {
        &self.text[span.range()]
    }

    /// The steps of a path, outermost first. Costs as much as it is deep, for those who ask.
    #[must_use]
    pub fn steps(&self, path: Path) -> Vec<Segment<'_>> {
        self.nest.steps(path, &self.text)
    }

    #[cold]
    fn fail(&mut self, fault: JsonFault) -> JsonError {
        let place = match self.state {
            State::FirstKey | State::Key | State::KeyText(_) | State::After => {
                self.nest.container()
            }
            _ => self.nest.place(),
        };
        let error = JsonError {
            offset: self.at,
            path: event::shown(&self.steps(place)),
            fault,
        };
        self.fault = Some(error.clone());
        error
    }

    /// Takes at least one byte, or goes to a state that will.
    #[inline]
    fn advance(&mut self, events: &mut Vec<JsonEvent>) -> Result<(), JsonFault> {
        match self.state {
            State::Text(text) => self.read_text(text, false, events),
            State::KeyText(text) => self.read_text(text, true, events),
            State::Number(number) => self.read_number(number, events),
            State::Word(rest, kind) => self.read_word(rest, kind, events),
            state => {
                let byte = self.text[self.at];
                if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                    return self.read_sign(state, byte, events);
                }
                self.at += 1;
                Ok(())
            }
        }
    }

    /// Between values: brackets, commas, colons, and the first byte of a value or key.
    fn read_sign(
        &mut self,
        state: State,
        byte: u8,
        events: &mut Vec<JsonEvent>,
    ) -> Result<(), JsonFault> {
        match (state, byte) {
            (State::Item, b']') | (State::FirstKey, b'}') => self.close(events),
            (State::After, b'}') if self.nest.is_in_object() => self.close(events),
            (State::After, b']') if !self.nest.is_in_object() => self.close(events),
            (State::Value | State::Item, _) => return self.begin(byte),
            (State::FirstKey | State::Key, b'"') => {
                self.start = self.at;
                self.state = State::KeyText(Text::Plain);
            }
            (State::After, b',') if self.nest.is_in_object() => self.state = State::Key,
            (State::After, b',') | (State::Colon, b':') => self.state = State::Value,
            (State::Ended, _) => return Err(JsonFault::Trailing),
            (state, _) => return Err(self.unexpected(state)),
        }
        self.at += 1;
        Ok(())
    }

    fn unexpected(&self, state: State) -> JsonFault {
        let expected = match state {
            State::FirstKey => "a key or `}`",
            State::Key => "a key",
            State::Colon => "`:`",
            State::After if self.nest.is_in_object() => "`,` or `}`",
            State::After => "`,` or `]`",
            _ => "a value",
        };
        JsonFault::Unexpected { expected }
    }

    /// The first byte of a value.
    fn begin(&mut self, byte: u8) -> Result<(), JsonFault> {
        let state = match byte {
            b'{' => State::FirstKey,
            b'[' => State::Item,
            b'"' => State::Text(Text::Plain),
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Digits),
            b't' => State::Word(b"rue", Kind::Boolean),
            b'f' => State::Word(b"alse", Kind::Boolean),
            b'n' => State::Word(b"ull", Kind::Null),
            b'N' | b'I' => return Err(JsonFault::NotFinite),
            _ => return Err(self.unexpected(State::Value)),
        };
        if self.is_arguments && self.nest.is_empty() && byte != b'{' {
            let found = fault::found(byte);
            return Err(JsonFault::NotAnObject { found });
        }
        if self.items >= self.limits.items {
            let limit = self.limits.items;
            return Err(JsonFault::TooMany { limit });
        }
        if matches!(byte, b'{' | b'[') {
            self.nest.open(byte == b'{', self.at, self.limits.depth)?;
        }
        self.items += 1;
        self.start = self.at;
        self.state = state;
        self.at += 1;
        Ok(())
    }

    fn read_text(
        &mut self,
        mut text: Text,
        is_key: bool,
        events: &mut Vec<JsonEvent>,
    ) -> Result<(), JsonFault> {
        let (taken, is_closed) = text.read(&self.text[self.at..]);
        self.at += taken;
        let state = if is_key { State::KeyText } else { State::Text };
        self.state = state(text);
        if !is_closed? {
            return Ok(());
        }
        let span = Span::new(self.start, self.at);
        if !is_key {
            self.tell(span, Kind::Text, events);
            return Ok(());
        }
        self.nest.take_key(span, &self.text)?;
        events.push(JsonEvent::Key(self.nest.place()));
        self.state = State::Colon;
        Ok(())
    }

    fn read_number(
        &mut self,
        mut number: Number,
        events: &mut Vec<JsonEvent>,
    ) -> Result<(), JsonFault> {
        let (taken, is_closed) = number.read(&self.text[self.at..]);
        self.at += taken;
        self.state = State::Number(number);
        if is_closed? {
            return self.close_number(events);
        }
        Ok(())
    }

    fn close_number(&mut self, events: &mut Vec<JsonEvent>) -> Result<(), JsonFault> {
        let span = Span::new(self.start, self.at);
        if !number::is_finite(self.slice(span)) {
            return Err(JsonFault::NotFinite);
        }
        self.tell(span, Kind::Number, events);
        Ok(())
    }

    fn read_word(
        &mut self,
        rest: &'static [u8],
        kind: Kind,
        events: &mut Vec<JsonEvent>,
    ) -> Result<(), JsonFault> {
        let Some(rest) = rest.strip_prefix(&self.text[self.at..=self.at]) else {
            return Err(self.unexpected(State::Value));
        };
        self.at += 1;
        self.state = State::Word(rest, kind);
        if rest.is_empty() {
            self.tell(Span::new(self.start, self.at), kind, events);
        }
        Ok(())
    }

    /// The end of an object or array.
    fn close(&mut self, events: &mut Vec<JsonEvent>) {
        if let Some((start, kind)) = self.nest.close() {
            self.tell(Span::new(start, self.at + 1), kind, events);
        }
    }

    /// A value is complete.
    fn tell(&mut self, span: Span, kind: Kind, events: &mut Vec<JsonEvent>) {
        let path = self.nest.place();
        events.push(JsonEvent::Closed { path, span, kind });
        self.state = State::After;
        if self.nest.is_empty() {
            self.state = State::Ended;
            events.push(JsonEvent::End);
        }
        self.nest.count();
    }
}
