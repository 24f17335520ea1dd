//! Where the pages go: a terminal, which shows one at a time, or whatever else, which gets one after another.
//!
//! Invariant: a terminal is left as it was found, however the command ends short of being killed.

use rustix::termios::tcgetwinsize;
use std::io::{self, Write as _};

/// The other screen of the terminal, without a cursor (`console_codes(4)`, xterm's DECSET 1049 and 25).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";

/// The screen from before, with a cursor.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// To the top left; to the end of the line; to the end of the screen, cleared.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_REST: &str = "\x1b[J";

/// Rows and columns where a terminal does not tell.
const SIZE_DEFAULT: (usize, usize) = (24, 80);

/// Where the pages go.
pub(super) enum Screen {
    /// One page at a time.
    Terminal,
    /// One page after another.
    Batch {
        /// Whether there was a page before.
        has_begun: bool,
    },
}

impl Screen {
    /// Returns the terminal that is standard output, ready for pages.
    ///
    /// # Errors
    /// What writing meets.
    pub(super) fn terminal() -> io::Result<Screen> {
        write(ENTER)?;
        Ok(Screen::Terminal)
    }

    /// Shows a page.
    ///
    /// # Errors
    /// What writing meets; `EPIPE` where the reader has had enough.
    pub(super) fn show(&mut self, lines: &[String]) -> io::Result<()> {
        match self {
            Screen::Terminal => write(&frame(lines, size())),
            Screen::Batch { has_begun } => {
                let between = if *has_begun { "\n" } else { "" };
                *has_begun = true;
                write(&format!("{between}{}\n", lines.join("\n")))
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if matches!(self, Screen::Terminal) {
            // A terminal that is gone needs no care.
            let _gone = write(LEAVE);
        }
    }
}

/// Returns the bytes that show a page on a terminal of some rows and columns: no more lines, no longer ones.
fn frame(lines: &[String], (rows, columns): (usize, usize)) -> String {
    let cut = |line: &String| line.chars().take(columns).collect::<String>() + CLEAR_LINE;
    let shown: Vec<String> = lines.iter().take(rows).map(cut).collect();
    // No line break after the last line: in the last row it would move the page.
    format!("{HOME}{}{CLEAR_REST}", shown.join("\r\n"))
}

fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row.into(), size.ws_col.into()),
        _ => SIZE_DEFAULT,
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::frame;

    #[test]
    fn a_page_is_cut_to_the_terminal_and_leaves_nothing_of_the_page_before() {
        let lines = ["µµµµ".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(frame(&lines, (2, 3)), "\x1b[Hµµµ\x1b[K\r\nb\x1b[K\x1b[J");
        assert_eq!(frame(&[], (2, 3)), "\x1b[H\x1b[J");
    }
}
