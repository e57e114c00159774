//! A receipt as a page of paper: PDF, in one font that comes with it, with a QR code to verify it by.

use krilla::{
    Document,
    geom::{PathBuilder, Point, Rect},
    metadata::Metadata,
    page::PageSettings,
    surface::Surface,
    text::{Font, GlyphId, KrillaGlyph},
};
use qrcodegen::{QrCode, QrCodeEcc};
use skrifa::{FontRef, MetadataProvider, charmap::Charmap};
use thiserror::Error;

use crate::{
    EscrowError,
    receipt::Receipt,
    words::{
        Denomination,
        receipt::{NO_INVOICE, Section, ending, sections},
    },
};

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSansMono-subset.ttf");

/// A4, in points.
const PAGE: (f32, f32) = (595.0, 842.0);
/// Free on every side, in points.
const MARGIN: f32 = 42.0;
/// The side of the QR code, in points.
const QR: f32 = 96.0;
/// The width of a letter, for each point of its size: all have the same.
const ADVANCE: f32 = 1_233.0 / 2_048.0;
/// The sizes of what is not a heading, in points: the first with which all fits on one page.
const SIZES: [f32; 4] = [8.0, 7.0, 6.0, 5.0];

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PaperError {
    /// The terms do not hash.
    #[error("{0}")]
    Terms(#[from] EscrowError),
    /// What is to stand in the QR code is too long.
    #[error("the text to verify the receipt by has {0} bytes, which is too long for a QR code: name a shorter one")]
    Link(usize),
    /// The PDF cannot be written.
    #[error("the PDF cannot be written: {0}")]
    Pdf(String),
}

/// A line: what, and at the right how much.
struct Line {
    left: String,
    right: String,
    size: f32,
    /// Free above it, for each point of its size.
    above: f32,
}

/// The receipt as a PDF. Its QR code has `link`; or, where there is none, the escrow's address and the hash of its terms, from
/// which anybody finds the deal on chain.
///
/// # Errors
///
/// Where `link` is too long for a QR code.
pub fn pdf(receipt: &Receipt, denomination: &Denomination, link: Option<&str>) -> Result<Vec<u8>, PaperError> {
    let link = match link {
        Some(link) => link.to_owned(),
        None => format!("escrow:{}?terms_hash={}", receipt.escrow, hex::encode(receipt.terms.hash()?)),
    };
    let code = QrCode::encode_text(&link, QrCodeEcc::Medium).map_err(|_| PaperError::Link(link.len()))?;
    let unwritable = || PaperError::Pdf("its font cannot be read".to_owned());
    let font = Font::new(FONT.to_vec().into(), 0).ok_or_else(unwritable)?;
    let charmap = FontRef::new(FONT).map_err(|_| unwritable())?.charmap();
    let pen = Pen { font, charmap };

    let sections = sections(receipt, denomination);
    let intro = ending(receipt, denomination);
    let lay = |size: f32| pen.lines(&intro, &sections, &link, size);
    let height = |lines: &[Line]| lines.iter().map(Line::height).sum::<f32>();
    let room = PAGE.1 - 2.0 * MARGIN;
    let fits = SIZES.into_iter().find(|size| height(&lay(*size)) <= room);
    let lines = lay(fits.unwrap_or(5.0));

    let mut document = Document::new();
    document.set_metadata(
        Metadata::new().title(format!("Receipt for the escrow {}", receipt.escrow)).language("en".to_owned()),
    );
    let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or_else(unwritable)?;
    let mut lines = lines.iter().peekable();
    let mut is_first = true;
    while lines.peek().is_some() {
        let mut page = document.start_page_with(settings.clone());
        let mut surface = page.surface();
        if std::mem::take(&mut is_first) {
            draw(&mut surface, &code);
        }
        let mut below = MARGIN;
        while let Some(line) = lines.next_if(|line| below + line.height() <= PAGE.1 - MARGIN) {
            below += line.height();
            pen.write(&mut surface, MARGIN, below, line.size, &line.left);
            let right = PAGE.0 - MARGIN - width(&line.right, line.size);
            pen.write(&mut surface, right, below, line.size, &line.right);
        }
        surface.finish();
        page.finish();
    }
    document.finish().map_err(|error| PaperError::Pdf(format!("{error:?}")))
}

impl Line {
    fn height(&self) -> f32 {
        self.size * (1.3 + self.above)
    }
}

/// How many letters of this size stand beside each other in so many points.
fn letters(points: f32, size: f32) -> usize {
    let mut count = 0usize;
    let mut used = size * ADVANCE;
    while used <= points {
        count = count.saturating_add(1);
        used += size * ADVANCE;
    }
    count
}

fn width(text: &str, size: f32) -> f32 {
    text.chars().map(|_| size * ADVANCE).sum()
}

struct Pen<'a> {
    font: Font,
    charmap: Charmap<'a>,
}

impl Pen<'_> {
    /// What is not in the font, by its number; and no two lines in one.
    fn escape(&self, text: &str) -> String {
        let written = |letter: char| {
            if self.charmap.map(letter).is_some() { letter.to_string() } else { letter.escape_unicode().to_string() }
        };
        text.chars().map(written).collect()
    }

    fn write(&self, surface: &mut Surface<'_>, x: f32, y: f32, size: f32, text: &str) {
        let glyphs: Vec<KrillaGlyph> = text
            .char_indices()
            .filter_map(|(begin, letter)| {
                let glyph = GlyphId::new(self.charmap.map(letter)?.to_u32());
                let end = begin.saturating_add(letter.len_utf8());
                Some(KrillaGlyph::new(glyph, ADVANCE, 0.0, 0.0, 0.0, begin..end, None))
            })
            .collect();
        if !glyphs.is_empty() {
            surface.draw_glyphs(Point::from_xy(x, y), &glyphs, self.font.clone(), text, size, false);
        }
    }

    fn lines(&self, intro: &str, sections: &[Section], link: &str, size: f32) -> Vec<Line> {
        let whole = PAGE.0 - 2.0 * MARGIN;
        let plain = |left: String, size: f32, above: f32| Line { left, right: String::new(), size, above };
        let mut lines = vec![plain("Receipt".to_owned(), 18.0, 0.0)];
        // Beside the QR code.
        let beside = letters(whole - QR - 12.0, size);
        let mut above = 1.0;
        for text in [self.escape(intro), self.escape(&format!("To verify: {link}"))] {
            for left in wrap(&text, beside) {
                lines.push(plain(left, size, above));
                above = 0.0;
            }
            above = 0.6;
        }
        let used: f32 = lines.iter().map(Line::height).sum();
        let gap = (QR - used).max(0.0) / size;
        let room = letters(whole, size);
        for (index, Section { heading, lines: told }) in sections.iter().enumerate() {
            let above = if index == 0 { gap + 1.0 } else { 1.0 };
            lines.push(plain((*heading).to_owned(), size + 2.0, above * size / (size + 2.0)));
            for (what, how_much) in told {
                let mut what = what.lines().map(|line| self.escape(line));
                let (first, right) = (what.next().unwrap_or_default(), self.escape(how_much));
                let needed = first.chars().count().saturating_add(right.chars().count()).saturating_add(2);
                if needed <= room {
                    lines.push(Line { left: first, right, size, above: 0.25 });
                } else {
                    lines.extend(wrap(&first, room).into_iter().map(|left| plain(left, size, 0.25)));
                    let right = wrap(&right, room).into_iter();
                    lines.extend(right.map(|right| Line { left: String::new(), right, size, above: 0.0 }));
                }
                let rest = what.flat_map(|line| wrap(&line, room));
                lines.extend(rest.map(|left| plain(left, size, 0.0)));
            }
        }
        let mut above = 1.5;
        for left in wrap(NO_INVOICE, room) {
            lines.push(plain(left, size, above));
            above = 0.0;
        }
        lines
    }
}

/// Lines of at most so many letters; words stay whole where that can be.
fn wrap(text: &str, letters: usize) -> Vec<String> {
    let letters = letters.max(1);
    let mut lines = Vec::new();
    let (mut line, mut length) = (String::new(), 0usize);
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if length > 0 && length.saturating_add(1).saturating_add(word.len()) > letters {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        while word.len() > letters {
            let rest = word.split_off(letters);
            lines.push(word.iter().collect());
            word = rest;
        }
        if length > 0 {
            line.push(' ');
            length = length.saturating_add(1);
        }
        length = length.saturating_add(word.len());
        line.extend(word);
    }
    if length > 0 {
        lines.push(line);
    }
    lines
}

/// At the right of the page's head, with the light border that readers need: the page's margin.
fn draw(surface: &mut Surface<'_>, code: &QrCode) {
    let size = code.size();
    let module = QR / f32::from(u16::try_from(size).unwrap_or(u16::MAX));
    let (left, top) = (PAGE.0 - MARGIN - QR, MARGIN);
    let mut path = PathBuilder::new();
    let (mut y, mut row) = (top, 0);
    while row < size {
        let (mut x, mut column) = (left, 0);
        while column < size {
            if code.get_module(column, row)
                && let Some(rect) = Rect::from_xywh(x, y, module, module)
            {
                path.push_rect(rect);
            }
            (x, column) = (x + module, column.saturating_add(1));
        }
        (y, row) = (y + module, row.saturating_add(1));
    }
    if let Some(path) = path.finish() {
        surface.set_fill(Some(krilla::paint::Fill::default()));
        surface.draw_path(&path);
    }
}
