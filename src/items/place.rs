//! Places of a text: lines and columns of bytes.

/// Lines and columns of places, asked for in ascending order for the most part: going back begins anew.
pub(super) struct Places<'a> {
    text: &'a str,
    line: usize,
    /// Where that line begins.
    start: usize,
    /// Where the next one does, if there is one.
    next: Option<usize>,
    /// The byte of that line up to which its characters are counted.
    at: usize,
    /// How many there are before it.
    passed: usize,
}

impl<'a> Places<'a> {
    pub fn new(text: &'a str) -> Self {
        let mut places = Self {
            text,
            line: 1,
            start: 0,
            next: None,
            at: 0,
            passed: 0,
        };
        places.begin(1, 0);
        places
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.start..).unwrap_or_default()
    }

    /// Goes to a line, which begins at that byte.
    fn begin(&mut self, line: usize, start: usize) {
        (self.line, self.start) = (line, start);
        (self.at, self.passed) = (start, 0);
        self.next = self.rest().find('\n').map(|end| start + end + 1);
    }

    /// Goes on to the next line as long as `wanted` says so of its number and beginning.
    fn advance(&mut self, wanted: impl Fn(usize, usize) -> bool) {
        while let Some(next) = self.next.filter(|next| wanted(self.line + 1, *next)) {
            self.begin(self.line + 1, next);
        }
    }

    /// Line and column, from 1, of a byte.
    pub fn of(&mut self, offset: usize) -> (usize, usize) {
        if offset < self.start {
            self.begin(1, 0);
        }
        self.advance(|_, start| start <= offset);
        if offset < self.at {
            (self.at, self.passed) = (self.start, 0);
        }
        for char in self.text.get(self.at..).unwrap_or_default().chars() {
            if self.at >= offset {
                break;
            }
            self.at += char.len_utf8();
            self.passed += 1;
        }
        (self.line, self.passed + 1)
    }

    /// Column of the first character of a line that is no white space.
    pub fn first_character(&mut self, line: usize) -> usize {
        if line < self.line {
            self.begin(1, 0);
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
