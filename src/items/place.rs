//! Places of a text: lines and columns of bytes.

/// Lines and columns of places, asked for in ascending order for the most part: going back begins anew.
pub(super) struct Places<'a> {
    text: &'a str,
    line: usize,
    /// Where that line begins.
    start: usize,
}

impl<'a> Places<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            line: 1,
            start: 0,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.start..).unwrap_or_default()
    }

    /// Goes on to the next line as long as `wanted` says so of its number and beginning.
    fn advance(&mut self, wanted: impl Fn(usize, usize) -> bool) {
        while let Some(end) = self.rest().find('\n') {
            let next = (self.line + 1, self.start + end + 1);
            if !wanted(next.0, next.1) {
                break;
            }
            (self.line, self.start) = next;
        }
    }

    /// Line and column, from 1, of a byte.
    pub fn of(&mut self, offset: usize) -> (usize, usize) {
        if offset < self.start {
            (self.line, self.start) = (1, 0);
        }
        self.advance(|_, start| start <= offset);
        let before = self.rest().char_indices();
        let column = before
            .take_while(|(at, _)| self.start + at < offset)
            .count();
        (self.line, column + 1)
    }

    /// Column of the first character of a line that is no white space.
    pub fn first_character(&mut self, line: usize) -> usize {
        if line < self.line {
            (self.line, self.start) = (1, 0);
        }
        self.advance(|number, _| number <= line);
        let blank = self
            .rest()
            .chars()
            .take_while(|char| matches!(char, ' ' | '\t'));
        blank.count() + 1
    }
}

/// The byte of `text` at which `part`, a piece of it, begins.
pub(super) fn offset_of(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// Line numbers of places that are asked for in ascending order: the text is read once.
pub(super) struct LineCounter<'a> {
    text: &'a str,
    line: usize,
    counted: usize,
}

impl<'a> LineCounter<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            line: 1,
            counted: 0,
        }
    }

    /// The line, from 1, of the byte at `start`.
    pub fn at(&mut self, start: usize) -> usize {
        let passed = self.text.as_bytes().get(self.counted..start);
        if let Some(passed) = passed {
            self.line += passed.iter().filter(|byte| **byte == b'\n').count();
            self.counted = start;
        }
        self.line
    }
}
