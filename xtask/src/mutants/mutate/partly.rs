//! Mistakes that leave a check where it is, and let it look at less: at all milestones but the last, at the first bytes of
//! an address, at one amount where the total counts.
//!
//! Nobody sees these in a list of what is checked; only a case that differs in just that place tells them apart.

use std::ops::Range;

use syn::{
    BinOp, Block, Expr, ExprArray, ExprAssign, ExprBinary, ExprCall, ExprMethodCall, ExprRange, Lit, Local, Pat, Stmt,
};

use super::{Finder, Kind, last_name, one_line, range, shortened};

/// Methods that look at many. Of an option they would be others.
pub(super) const CONSUMES: [&str; 8] = ["all", "any", "find", "fold", "for_each", "position", "sum", "try_fold"];

/// Parts of an address's bytes, as a method of an array.
const PARTS: [(&str, &str); 3] = [
    ("the first 8 bytes only", "first_chunk::<8>()"),
    ("all bytes but the last", "first_chunk::<31>()"),
    ("all bytes but the first", "last_chunk::<31>()"),
];

/// The highest bump that [`Finder::fewer_bumps`] leaves out is one less: one address in 256 has none above.
const FIRST_BUMP: &str = "248";

impl Finder<'_> {
    /// The same check, or its negation, of less.
    pub(super) fn partly(&mut self, binary: &ExprBinary, own: &Range<usize>) {
        match binary.op {
            BinOp::Eq(_) => self.equal_partly(binary, own, "=="),
            BinOp::Ne(_) => self.equal_partly(binary, own, "!="),
            BinOp::Div(_) => self.rounded(binary, own),
            _ => {}
        }
    }

    // The first or the last of many ------------------------------------------------------------------------------------

    /// All but the first and all but the last of what a loop or a method looks at; of a written list, all but each.
    pub(super) fn but_first_or_last(&mut self, many: &Expr) {
        if let Some(list) = written_list(many) {
            for left_out in 0..list.elems.len() {
                let mut rest: Vec<&str> = list.elems.iter().map(|element| self.source(range(element))).collect();
                rest.remove(left_out);
                let rest = format!("[{}]", rest.join(", "));
                self.add(Kind::Elements, range(list), rest, range(list));
            }
            return;
        }
        let own = range(many);
        let source = self.source(own.clone());
        let iterated = match many {
            Expr::MethodCall(_) => source.to_owned(),
            Expr::Path(_) => format!("{source}.into_iter()"),
            _ => format!("({source}).into_iter()"),
        };
        self.add(Kind::Elements, own.clone(), format!("{iterated}.skip(1)"), own.clone());
        match taken(many) {
            // May not be walked backwards.
            Some(count) => {
                let count = range(count);
                let fewer = format!("{}.saturating_sub(1)", self.source(count.clone()));
                self.add(Kind::Elements, count, fewer, own);
            }
            None => self.add(Kind::Elements, own.clone(), format!("{iterated}.rev().skip(1).rev()"), own),
        }
    }

    /// Not the bumps that few addresses have.
    pub(super) fn fewer_bumps(&mut self, of: &ExprRange) {
        if let (Some(start), Some(end)) = (&of.start, &of.end)
            && (self.source(range(start)), self.source(range(end))) == ("0", "u8::MAX")
        {
            self.add(Kind::Bumps, range(start), FIRST_BUMP, range(of));
        }
    }

    // Some of the bytes ------------------------------------------------------------------------------------------------

    /// `address_eq(a, b)`, of a part of both.
    pub(super) fn addresses_partly(&mut self, call: &ExprCall) {
        if let [left, right] = call.args.iter().collect::<Vec<_>>()[..] {
            let both = format!("{}, {}", self.source(range(left)), self.source(range(right)));
            self.same_part(range(call), "", &both);
        }
    }

    /// `a.owned_by(b)`, of a part of both.
    pub(super) fn owner_partly(&mut self, call: &ExprMethodCall) {
        if let Some(program) = call.args.first().filter(|_| call.method == "owned_by") {
            let both = format!("{}.owner(), {}", self.source(range(&call.receiver)), self.source(range(program)));
            self.same_part(range(call), "", &both);
        }
    }

    /// `address = a @ error` of an account, of a part of both.
    pub(super) fn constraint_partly(
        &mut self,
        attribute: Range<usize>,
        field: &str,
        constraints: &[String],
        of: usize,
    ) {
        let Some(constraint) = constraints.get(of) else { return };
        let Some((expected, error)) = constraint
            .strip_prefix("address")
            .and_then(|rest| rest.trim_start().strip_prefix('='))
            .and_then(|rest| rest.split_once('@'))
        else {
            return;
        };
        for (what, part) in PARTS {
            let compared = compare(part, &format!("{field}.address(), &{}", expected.trim()));
            let mut all = constraints.to_vec();
            all[of] = format!("constraint = {compared} @{error}");
            let shown = format!("`{field}` with `{}` on {what}", one_line(constraint));
            self.add_named(Kind::Bytes, attribute.clone(), format!("#[account({})]", all.join(", ")), &shown);
        }
    }

    /// `==` between two addresses, two whole values, or bytes and zeros.
    fn equal_partly(&mut self, binary: &ExprBinary, own: &Range<usize>, operator: &str) {
        let (left, right) = (self.source(range(&binary.left)), self.source(range(&binary.right)));
        if is_method(&binary.left, "address") || is_method(&binary.right, "address") {
            let both = format!("{left}, {right}");
            self.same_part(own.clone(), if operator == "!=" { "!" } else { "" }, &both);
        } else if is_made_from(&binary.right) {
            let parts = [
                ("the first 8 bytes only", "get(..8)"),
                ("all bytes but the last 8", "split_last_chunk::<8>().map(|(rest, _)| rest)"),
                ("all bytes but the first 8", "get(8..)"),
            ];
            // Both kept: the bytes of a value that was made here would not outlive it.
            let both = format!("let (a, b) = ({left}, {right});");
            let bytes = |of: &str, part: &str| format!("bytemuck::bytes_of(&{of}).{part}");
            for (what, part) in parts {
                let (a, b) = (bytes("a", part), bytes("b", part));
                let compared = format!("({{ {both} {a} {operator} {b} }})");
                self.on(own.clone(), what, compared);
            }
        } else if let Some((length, optional)) = zeros(&binary.right) {
            let bytes = if optional { left.to_owned() } else { format!("Some(&{left}[..])") };
            let (first, but_one) = (8, length - 1);
            let parts = [
                ("the first 8 bytes only", format!("first_chunk::<{first}>()"), first),
                ("all bytes but the last", format!("first_chunk::<{but_one}>()"), but_one),
                ("all bytes but the first", format!("last_chunk::<{but_one}>()"), but_one),
            ];
            for (what, part, left_over) in parts.into_iter().filter(|(.., left_over)| *left_over < length) {
                let compared =
                    format!("{bytes}.and_then(|bytes: &[u8]| bytes.{part}) {operator} Some(&[0; {left_over}])");
                self.on(own.clone(), what, compared);
            }
        }
    }

    fn same_part(&mut self, own: Range<usize>, not: &str, both: &str) {
        for (what, part) in PARTS {
            self.on(own.clone(), what, format!("{not}{}", compare(part, both)));
        }
    }

    fn on(&mut self, own: Range<usize>, what: &str, compared: String) {
        let was = one_line(self.source(own.clone()));
        let shown = format!("`{}` on {what}", shortened(&was, 0, was.len()));
        self.add_named(Kind::Bytes, own, compared, &shown);
    }

    // Amounts ----------------------------------------------------------------------------------------------------------

    fn rounded(&mut self, binary: &ExprBinary, own: &Range<usize>) {
        let (left, right) = (self.source(range(&binary.left)), self.source(range(&binary.right)));
        let (up, nearest) = (format!("({left}).div_ceil({right})"), format!("({left} + {right} / 2) / {right}"));
        for replacement in [up, nearest] {
            self.add(Kind::Rounding, own.clone(), replacement, own.clone());
        }
    }

    /// After `total = add(total, amount)?`, what is computed of the total: of the amount alone, by itself and added to what
    /// it was before; and of the total as it was before.
    pub(super) fn totals(&mut self, block: &Block) {
        for (index, stmt) in block.stmts.iter().enumerate() {
            let Some((total, amount)) = self.grows(stmt) else { continue };
            let rest = block.stmts.get(index + 1..).unwrap_or_default();
            for stmt in rest {
                let Some((name, value)) = bound(stmt) else { continue };
                let Some(argument) = argument(value, |argument| self.source(range(argument)) == total) else {
                    continue;
                };
                let (value, argument) = (range(value), range(argument));
                self.add(Kind::Total, argument.clone(), amount.clone(), value.clone());
                self.add(Kind::Total, argument.clone(), format!("{total}.wrapping_sub({amount})"), value.clone());
                if let Some(kept) = rest.iter().find_map(|stmt| self.keeps(stmt, &name)) {
                    let (before, after) = (value.start..argument.start, argument.end..value.end);
                    let one = format!("{}{amount}{}", self.source(before), self.source(after));
                    self.add(Kind::Total, value.clone(), format!("{kept}.wrapping_add({one})"), value);
                }
            }
        }
    }

    /// What `a = add(a, b)?` adds to, and what.
    fn grows(&self, stmt: &Stmt) -> Option<(String, String)> {
        let ExprAssign { left, right, .. } = assignment(stmt)?;
        let Expr::Try(tried) = &**right else { return None };
        let Expr::Call(call) = &*tried.expr else { return None };
        let arguments: Vec<&str> = call.args.iter().map(|argument| self.source(range(argument))).collect();
        match arguments[..] {
            [total, amount] if last_name(&call.func) == "add" && total == self.source(range(left)) => {
                Some((total.to_owned(), amount.to_owned()))
            }
            _ => None,
        }
    }

    /// Where `a.b = name` keeps it.
    fn keeps(&self, stmt: &Stmt, name: &str) -> Option<String> {
        let ExprAssign { left, right, .. } = assignment(stmt)?;
        (self.source(range(right)) == name).then(|| self.source(range(left)).to_owned())
    }
}

/// Whether both of these addresses have this part in common.
fn compare(part: &str, both: &str) -> String {
    let address = "&anchor_lang::prelude::Address";
    format!(
        "({{ fn same(a: {address}, b: {address}) -> bool {{ a.as_array().{part} == b.as_array().{part} }} same({both}) }})"
    )
}

/// The list in `[a, b].into_iter()`.
fn written_list(many: &Expr) -> Option<&ExprArray> {
    match many {
        Expr::Array(list) => Some(list),
        Expr::MethodCall(ExprMethodCall { receiver, .. }) => written_list(receiver),
        _ => None,
    }
}

/// The number in `all.take(number)`.
fn taken(many: &Expr) -> Option<&Expr> {
    match many {
        Expr::MethodCall(call) if call.method == "take" => call.args.first(),
        _ => None,
    }
}

fn is_method(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::MethodCall(call) if call.method == name)
}

/// `Type::from(..)`.
fn is_made_from(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if last_name(&call.func) == "from")
}

/// How many zeros there are in `[0; many]` or `Some(&[0; many])`, and whether it is the latter.
fn zeros(expr: &Expr) -> Option<(usize, bool)> {
    match expr {
        Expr::Repeat(repeat) => match &*repeat.len {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Int(number) => Some((number.base10_parse().ok().filter(|many| *many > 1)?, false)),
                _ => None,
            },
            _ => None,
        },
        Expr::Call(call) if last_name(&call.func) == "Some" => match call.args.first()? {
            Expr::Reference(reference) => zeros(&reference.expr).map(|(many, _)| (many, true)),
            _ => None,
        },
        _ => None,
    }
}

fn assignment(stmt: &Stmt) -> Option<&ExprAssign> {
    match stmt {
        Stmt::Expr(Expr::Assign(assign), _) => Some(assign),
        _ => None,
    }
}

/// The name and the value of `let name = value;`.
fn bound(stmt: &Stmt) -> Option<(String, &Expr)> {
    match stmt {
        Stmt::Local(Local { pat: Pat::Ident(name), init: Some(init), .. }) => {
            Some((name.ident.to_string(), &init.expr))
        }
        _ => None,
    }
}

/// The first argument of a call, with or without `?`, of which this holds.
fn argument(value: &Expr, holds: impl Fn(&Expr) -> bool) -> Option<&Expr> {
    match value {
        Expr::Try(tried) => argument(&tried.expr, holds),
        Expr::Call(call) => call.args.iter().find(|argument| holds(argument)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::changes_of;
    use super::*;

    #[test]
    fn the_first_or_the_last_is_not_looked_at() {
        assert_eq!(
            changes_of(Kind::Elements, "fn f() { all.iter().all(good); for one in &all {} for one in all {} }"),
            [
                "`all.iter()` as `all.iter().skip(1)`",
                "`all.iter()` as `all.iter().rev().skip(1).rev()`",
                "`&all` as `(&all).into_iter().skip(1)`",
                "`&all` as `(&all).into_iter().rev().skip(1).rev()`",
                "`all` as `all.into_iter().skip(1)`",
                "`all` as `all.into_iter().rev().skip(1).rev()`",
            ]
        );
        assert_eq!(
            changes_of(Kind::Elements, "fn f() { for one in (0..).take(x.len()) {} [a, &b, c].into_iter().any(good) }"),
            [
                "`(0..).take(x.len())` as `(0..).take(x.len()).skip(1)`",
                "`(0..).take(x.len())` as `(0..).take(x.len().saturating_sub(1))`",
                "`[a, &b, c]` as `[&b, c]`",
                "`[a, &b, c]` as `[a, c]`",
                "`[a, &b, c]` as `[a, &b]`",
            ]
        );
        assert_eq!(changes_of(Kind::Elements, "fn f() { option.map(g); x.len().min(y) }"), [""; 0]);
    }

    #[test]
    fn some_of_the_bytes_are_not_compared() {
        let parts = |of: &str| PARTS.map(|(what, _)| format!("`{of}` on {what}")).to_vec();
        for equal in
            ["address_eq(a, &b.c)", "a.owned_by(&b)", "a.address() == &b", "b != c.address()", "value == [0; 64]"]
        {
            assert_eq!(changes_of(Kind::Bytes, &format!("fn f() {{ if {equal} && x {{}} }}")), parts(equal));
        }
        assert_eq!(
            changes_of(Kind::Bytes, "fn f() { data.get(4..8) == Some(&[0; 4]) || slot == Slot::from(x) }"),
            [
                "`data.get(4..8) == Some(&[0; 4])` on all bytes but the last",
                "`data.get(4..8) == Some(&[0; 4])` on all bytes but the first",
                "`slot == Slot::from(x)` on the first 8 bytes only",
                "`slot == Slot::from(x)` on all bytes but the last 8",
                "`slot == Slot::from(x)` on all bytes but the first 8",
            ]
        );
        assert_eq!(changes_of(Kind::Bytes, "fn f() { a == b; a == [0; 1]; a != Some(&1) }"), [""; 0]);
        assert_eq!(
            changes_of(
                Kind::Bytes,
                "#[derive(Accounts)] struct A { #[account(mut, address = x.y @ E::No)] a: Signer }"
            ),
            parts("address = x.y @ E::No").into_iter().map(|change| format!("`a` with {change}")).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_rest_is_rounded_another_way() {
        assert_eq!(
            changes_of(Kind::Rounding, "fn f() { a.mul(b) / C }"),
            ["`a.mul(b) / C` as `(a.mul(b)).div_ceil(C)`", "`a.mul(b) / C` as `(a.mul(b) + C / 2) / C`"]
        );
    }

    #[test]
    fn one_amount_is_taken_for_the_total() {
        assert_eq!(
            changes_of(
                Kind::Total,
                "fn f() { self.all = add(self.all, one)?; let fees = share(self.all, bps)?; self.fees = fees; }"
            ),
            [
                "`share(self.all, bps)?` as `share(one, bps)?`",
                "`share(self.all, bps)?` as `share(self.all.wrapping_sub(one), bps)?`",
                "`share(self.all, bps)?` as `self.fees.wrapping_add(share(one, bps)?)`",
            ]
        );
        assert_eq!(
            changes_of(Kind::Total, "fn f() { self.all = add(self.other, one)?; let x = g(self.all); }"),
            [""; 0]
        );
    }

    #[test]
    fn few_bumps_are_tried() {
        assert_eq!(changes_of(Kind::Bumps, "fn f() { 0..=u8::MAX; 0..8 }"), ["`0..=u8::MAX` as `248..=u8::MAX`"]);
    }
}
