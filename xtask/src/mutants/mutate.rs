//! Finds the mutants of a source file: every place where a check, a limit or a step can be taken away or turned round.
//!
//! The file is parsed to know what stands where, and a mutant is one edit of its text, so that everything else stays as
//! it was written.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use anyhow::{Context, Result};
use clap::ValueEnum;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde::Serialize;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Arm, BinOp, Block, Expr, ExprIf, ExprMatch, ImplItemFn, Item, ItemConst, ItemFn, ItemImpl, ItemStruct, Lit, LitInt,
    Pat, ReturnType, Signature, Stmt, Token, UnOp,
};

mod partly;

/// What sort of mistake a mutant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A check is missing or turned round, or one of its parts is
    Check,
    /// A step is left out
    Step,
    /// `<` for `<=`, and the other way round
    Bound,
    /// Another operator, or another call
    Operator,
    /// A number or a limit is one more or one less
    Number,
    /// A case is left out, or taken for the next
    Case,
    /// An account has a constraint less, or any type
    Account,
    /// Zero in the place of an error
    Default,
    /// The first or the last of many is not looked at
    Elements,
    /// Some of the bytes are not compared
    Bytes,
    /// Rounded up, or to the nearest
    Rounding,
    /// Computed of one amount, where the total counts
    Total,
    /// Only the likely bumps are tried
    Bumps,
}

/// One change to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// Says where and what; the same as long as the function is. No line numbers, which move.
    pub name: String,
    /// The file, relative to the program's `src`.
    pub file: String,
    /// The function (or type) in it.
    pub function: String,
    /// What sort of mistake it is.
    pub kind: Kind,
    /// A check that is turned round: what notices that it is missing notices this too.
    pub implied: bool,
    range: Range<usize>,
    replacement: String,
}

impl Mutant {
    /// The file's text with the change.
    pub fn apply(&self, text: &str) -> Result<String> {
        let (before, after) = text.get(..self.range.start).zip(text.get(self.range.end..)).context("not that text")?;
        Ok(format!("{before}{}{after}", self.replacement))
    }
}

/// All mutants of a file.
pub fn mutants(file: &str, text: &str) -> Result<Vec<Mutant>> {
    let syntax = syn::parse_file(text).with_context(|| format!("{file} is not Rust"))?;
    let mut finder = Finder {
        file,
        text,
        scope: Vec::new(),
        around: Vec::new(),
        settled: HashSet::new(),
        parts: HashSet::new(),
        in_range: false,
        found: Vec::new(),
    };
    finder.visit_file(&syntax);
    let mut found = finder.found;
    // Two ways to the same text are one mutant.
    let mut seen = HashSet::new();
    found.retain(|mutant| seen.insert((mutant.range.clone(), mutant.replacement.clone())));
    let mut times: HashMap<String, usize> = HashMap::new();
    for mutant in &mut found {
        let count = times.entry(mutant.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            mutant.name = format!("{} #{count}", mutant.name);
        }
    }
    Ok(found)
}

/// What is wrong with a condition that is not met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// `ensure(..)` and `require!(..)` refuse unless it holds.
    RefusesUnless,
    /// `if .. { return Err(..) }`.
    RefusesIf,
    /// Anything else that branches.
    Branches,
}

struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    /// Types and functions around the present place.
    scope: Vec<String>,
    /// The expressions, patterns and statements around the present place, for names.
    around: Vec<Range<usize>>,
    /// Expressions whose negation says nothing new: whole conditions, and operands of `&&` and `||`.
    settled: HashSet<Range<usize>>,
    /// Parts of a longer sum or product, which is changed once.
    parts: HashSet<Range<usize>>,
    in_range: bool,
    found: Vec<Mutant>,
}

impl Finder<'_> {
    fn source(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// Notes a mutant: `range` becomes `replacement`. `around` is shown in its name, as it was and as it is then.
    fn add(&mut self, kind: Kind, range: Range<usize>, replacement: impl Into<String>, around: Range<usize>) {
        let replacement = replacement.into();
        let was = one_line(self.source(around.clone()));
        let is = one_line(&format!(
            "{}{replacement}{}",
            self.source(around.start..range.start),
            self.source(range.end..around.end)
        ));
        let what = if is.is_empty() {
            format!("without `{}`", shortened(&was, 0, was.len()))
        } else {
            let (was, is) = differing(&was, &is);
            format!("`{was}` as `{is}`")
        };
        self.add_named(kind, range, replacement, &what);
    }

    fn add_named(&mut self, kind: Kind, range: Range<usize>, replacement: impl Into<String>, what: &str) {
        let function = self.scope.join("::");
        self.found.push(Mutant {
            name: format!("{} {function}: {what}", self.file),
            file: self.file.to_owned(),
            function,
            kind,
            implied: false,
            range,
            replacement: replacement.into(),
        });
    }

    /// The expression around the present one.
    fn parent(&self, own: &Range<usize>) -> Range<usize> {
        self.around.iter().rev().find(|range| *range != own).cloned().unwrap_or_else(|| own.clone())
    }

    fn scoped(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.scope.push(name);
        visit(self);
        self.scope.pop();
    }

    fn within(&mut self, range: Range<usize>, visit: impl FnOnce(&mut Self)) {
        self.around.push(range);
        visit(self);
        self.around.pop();
    }

    // Conditions -----------------------------------------------------------------------------------------------------

    fn condition(&mut self, condition: &Expr, meaning: Condition) {
        if matches!(condition, Expr::Let(_)) {
            return;
        }
        let range = range(condition);
        let around = match meaning {
            Condition::Branches => self.parent_line(&range),
            _ => range.clone(),
        };
        if meaning != Condition::RefusesIf {
            self.add(Kind::Check, range.clone(), "true", around.clone());
        }
        if meaning != Condition::RefusesUnless {
            self.add(Kind::Check, range.clone(), "false", around);
        }
        if meaning != Condition::Branches {
            let negated = format!("!({})", self.source(range.clone()));
            self.add(Kind::Check, range.clone(), negated, range.clone());
            self.found.iter_mut().next_back().into_iter().for_each(|last| last.implied = true);
        }
        self.settled.insert(range);
    }

    /// A branch's condition alone says little; the text from `if` on does.
    fn parent_line(&self, own: &Range<usize>) -> Range<usize> {
        let parent = self.around.last().cloned().unwrap_or_else(|| own.clone());
        let end = self.source(own.end..parent.end).find('{').map_or(own.end, |brace| own.end + brace);
        if parent.start <= own.start { parent.start..end } else { own.clone() }
    }

    /// Checks that are the last expression of a function without a result.
    fn tail(&mut self, expr: &Expr) {
        match expr {
            Expr::Call(call) if matches!(last_name(&call.func).as_str(), "Ok" | "Err" | "ensure") => {}
            Expr::Call(_) | Expr::MethodCall(_) => self.add(Kind::Check, range(expr), "Ok(())", range(expr)),
            Expr::Match(of) => of.arms.iter().for_each(|arm| self.tail(&arm.body)),
            Expr::Block(block) => self.tail_of(&block.block),
            Expr::If(ExprIf { then_branch, else_branch, .. }) => {
                self.tail_of(then_branch);
                if let Some((_, otherwise)) = else_branch {
                    self.tail(otherwise);
                }
            }
            _ => {}
        }
    }

    fn tail_of(&mut self, block: &Block) {
        if let Some(Stmt::Expr(expr, None)) = block.stmts.last() {
            self.tail(expr);
        }
    }

    fn function(&mut self, signature: &Signature, block: &Block) {
        self.scoped(signature.ident.to_string(), |this| {
            if let ReturnType::Type(_, result) = &signature.output
                && this.source(range(result)) == "Result<()>"
            {
                this.tail_of(block);
            }
            this.visit_block(block);
        });
    }

    // Patterns -------------------------------------------------------------------------------------------------------

    /// One alternative less. Only where the rest of the match takes it over.
    fn alternatives(&mut self, pattern: &Pat) {
        let Pat::Or(or) = pattern else {
            if let Pat::TupleStruct(inner) = pattern {
                inner.elems.iter().for_each(|pattern| self.alternatives(pattern));
            }
            return;
        };
        for index in 0..or.cases.len() {
            let mut rest: Vec<&str> = or.cases.iter().map(|case| self.source(range(case))).collect();
            rest.remove(index);
            let (rest, whole) = (rest.join(" | "), range(pattern));
            self.add(Kind::Case, whole.clone(), rest, whole);
        }
    }

    fn arms(&mut self, of: &ExprMatch) {
        let has_default = of.arms.iter().any(|arm| matches!(arm.pat, Pat::Wild(_)) && arm.guard.is_none());
        for (index, arm) in of.arms.iter().enumerate() {
            if has_default && matches!(arm.pat, Pat::Lit(_)) {
                // Left out as a whole: what notices that also notices another number in its place.
                self.settled.insert(range(&arm.pat));
            }
            let is_default = matches!(arm.pat, Pat::Wild(_)) && arm.guard.is_none();
            if has_default && !is_default {
                let shown = format!("without the arm `{}`", one_line(self.source(range(&arm.pat))));
                self.add_named(Kind::Case, range(arm), "", &shown);
                self.alternatives(&arm.pat);
            }
            let next = &of.arms[(index + 1) % of.arms.len()];
            let (own, other) = (range(&arm.body), self.source(range(&next.body)).to_owned());
            // A number is changed by itself.
            let simple =
                |arm: &Arm| !matches!(*arm.body, Expr::Block(_) | Expr::Lit(_) | Expr::Match(_)) && !binds(&arm.pat);
            if simple(arm) && simple(next) && self.source(own.clone()) != other {
                let end = own.end;
                self.add(Kind::Case, own, other, range(&arm.pat).start..end);
            }
        }
    }

    // Accounts -------------------------------------------------------------------------------------------------------

    /// Constraints and types of an instruction's accounts.
    fn accounts(&mut self, of: &ItemStruct) {
        for field in &of.fields {
            let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
            for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("account")) {
                let Ok(list) = attribute.meta.require_list() else { continue };
                let constraints: Vec<String> = split_at_commas(list.tokens.clone())
                    .into_iter()
                    .map(|range| self.source(range).to_owned())
                    .collect();
                for (index, left_out) in constraints.iter().enumerate() {
                    let mut rest = constraints.clone();
                    self.constraint_partly(range(attribute), &name, &rest, index);
                    rest.remove(index);
                    let replacement =
                        if rest.is_empty() { String::new() } else { format!("#[account({})]", rest.join(", ")) };
                    self.add_named(
                        Kind::Account,
                        range(attribute),
                        replacement,
                        &format!("`{name}` without `{}`", one_line(left_out)),
                    );
                }
            }
            let ty = range(&field.ty);
            for checked in ["Signer", "Program<System>"] {
                let of_field = self.source(ty.clone()).to_owned();
                if let Some(at) = of_field.find(checked) {
                    let start = ty.start + at;
                    self.add(
                        Kind::Account,
                        start..start + checked.len(),
                        "UncheckedAccount",
                        range(field.ident.as_ref()).start..ty.end,
                    );
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    // What is not code that runs.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_angle_bracketed_generic_arguments(&mut self, _: &'ast syn::AngleBracketedGenericArguments) {}

    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        let off_chain = attributes.iter().any(|attribute| {
            let text = one_line(self.source(range(attribute)));
            text.starts_with("#[cfg(test") || text == "#[cfg(not(target_os = \"solana\"))]"
        });
        if !off_chain {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        let derives = item.attrs.iter().filter(|attribute| attribute.path().is_ident("derive"));
        if derives.into_iter().any(|derive| self.source(range(derive)).contains("Accounts")) {
            self.scoped(item.ident.to_string(), |this| this.accounts(item));
        }
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.scoped(item.ident.to_string(), |this| visit::visit_item_enum(this, item));
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.within(range(&variant.ident).start..range(variant).end, |this| visit::visit_variant(this, variant));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        self.scoped(name.unwrap_or_default(), |this| visit::visit_item_impl(this, item));
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig, &item.block);
    }

    /// A limit, one more and one less.
    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        let number = matches!(self.source(range(&item.ty)), "u8" | "u16" | "u32" | "u64" | "usize" | "i64");
        if item.ident == "_" {
            return;
        }
        if !number {
            // A table outside of functions is for people.
            if !self.scope.is_empty() {
                visit::visit_item_const(self, item);
            }
            return;
        }
        let value = range(&item.expr);
        let around = range(&item.ident).start..value.end;
        for change in ["+ 1", "- 1"] {
            let changed = format!("({}) {change}", self.source(value.clone()));
            let shown = format!("`{}` {change}", one_line(self.source(around.clone())));
            self.add_named(Kind::Number, value.clone(), changed, &shown);
        }
    }

    fn visit_stmt(&mut self, stmt: &'ast Stmt) {
        let own = range(stmt);
        if let Stmt::Expr(expr, Some(_)) = stmt {
            let inner = if let Expr::Try(of) = expr { &of.expr } else { expr };
            let removable = match inner {
                // The one refuses by a condition, the other is a hint to the compiler.
                Expr::Call(call) => !matches!(last_name(&call.func).as_str(), "ensure" | "cold_path"),
                Expr::MethodCall(_) | Expr::Assign(_) | Expr::Unsafe(_) => true,
                Expr::Binary(binary) => is_compound(&binary.op),
                _ => false,
            };
            if removable {
                self.add(Kind::Step, own.clone(), "", own.clone());
            }
        }
        self.within(own, |this| visit::visit_stmt(this, stmt));
    }

    fn visit_pat(&mut self, pattern: &'ast Pat) {
        if let Pat::Tuple(tuple) = pattern {
            for element in &tuple.elems {
                if self.source(range(element)) == "None" {
                    self.add(Kind::Case, range(element), "_", range(pattern));
                }
            }
        }
        // The cases of `1 | 2` are left out one by one instead.
        if !matches!(pattern, Pat::Or(_)) && !self.settled.contains(&range(pattern)) {
            self.within(range(pattern), |this| visit::visit_pat(this, pattern));
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        self.within(range(&arm.pat).start..range(&arm.body).start, |this| {
            if let Some((_, guard)) = &arm.guard {
                this.condition(guard, Condition::Branches);
            }
        });
        self.within(range(arm), |this| visit::visit_arm(this, arm));
    }

    fn visit_macro(&mut self, of: &'ast syn::Macro) {
        let name = of.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        match name.as_str() {
            "require" => {
                let Ok(arguments) = of.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) else { return };
                let Some(condition) = arguments.first() else { return };
                self.condition(condition, Condition::RefusesUnless);
                Finder::visit_owned_expr(self, condition);
            }
            "matches" => {
                let Ok(Matches { value, pattern }) = of.parse_body() else { return };
                self.alternatives(&pattern);
                Finder::visit_owned_expr(self, &value);
                Finder::visit_owned_pattern(self, &pattern);
            }
            _ => {}
        }
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        let own = range(expr);
        match expr {
            Expr::If(of) => {
                let refuses = matches!(of.then_branch.stmts.last(), Some(Stmt::Expr(Expr::Return(result), _))
                    if result.expr.as_ref().is_some_and(|result| self.source(range(result)).starts_with("Err(")));
                self.within(own.clone(), |this| {
                    this.condition(&of.cond, if refuses { Condition::RefusesIf } else { Condition::Branches });
                });
            }
            Expr::Match(of) => self.arms(of),
            Expr::Call(call) if last_name(&call.func) == "ensure" => {
                if let Some(condition) = call.args.first() {
                    self.condition(condition, Condition::RefusesUnless);
                }
            }
            Expr::Call(call) if last_name(&call.func) == "address_eq" => self.addresses_partly(call),
            Expr::ForLoop(of) => self.but_first_or_last(&of.expr),
            Expr::Range(of) => self.fewer_bumps(of),
            Expr::Binary(binary) => {
                self.partly(binary, &own);
                if matches!(binary.op, BinOp::Add(_) | BinOp::Sub(_) | BinOp::Mul(_)) {
                    self.part_of_sum(&binary.left);
                }
                self.binary(binary, &own);
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) && !self.settled.contains(&own) => {
                self.add(Kind::Check, range(unary.op), "", own.clone());
            }
            Expr::Try(of) => {
                if let Expr::MethodCall(call) = &*of.expr
                    && (call.method == "ok_or" || call.method == "map_err")
                {
                    let around = range(&call.receiver).start..own.end;
                    let end = range(&call.receiver).end..own.end;
                    self.add(Kind::Default, end, ".unwrap_or_default()", around);
                }
            }
            Expr::MethodCall(call) => {
                let followed = self.text.get(own.end..).is_some_and(|rest| rest.starts_with('?'));
                if call.method == "ok_or" && !followed {
                    let receiver = self.source(range(&call.receiver)).to_owned();
                    let default = format!("Ok({receiver}.unwrap_or_default())");
                    self.add(Kind::Default, own.clone(), default, own.clone());
                }
                self.owner_partly(call);
                if partly::CONSUMES.contains(&call.method.to_string().as_str()) {
                    self.but_first_or_last(&call.receiver);
                }
                if let Some(other) = counterpart(&call.method.to_string()) {
                    // The receiver may be a long chain.
                    let around = range(&call.method).start..own.end;
                    self.add(Kind::Operator, range(&call.method), other, around);
                }
            }
            Expr::Path(path) if path.path.segments.len() > 1 => {
                if let Some(last) = path.path.segments.last()
                    && let Some(other) = counterpart(&last.ident.to_string())
                {
                    self.add(Kind::Operator, range(&last.ident), other, own.clone());
                }
            }
            _ => {}
        }
        self.within(own, |this| visit::visit_expr(this, expr));
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.totals(block);
        visit::visit_block(self, block);
    }

    // Zeros.
    fn visit_expr_repeat(&mut self, _: &'ast syn::ExprRepeat) {}

    fn visit_expr_range(&mut self, of: &'ast syn::ExprRange) {
        let was = std::mem::replace(&mut self.in_range, true);
        visit::visit_expr_range(self, of);
        self.in_range = was;
    }

    fn visit_lit(&mut self, lit: &'ast Lit) {
        if let Lit::Int(number) = lit {
            self.number(number);
        }
    }
}

impl Finder<'_> {
    /// What a macro's tokens were parsed to does not live as long as the file.
    fn visit_owned_expr(&mut self, expr: &Expr) {
        Visit::visit_expr(self, expr);
    }

    fn visit_owned_pattern(&mut self, pattern: &Pat) {
        Visit::visit_pat(self, pattern);
    }

    fn binary(&mut self, binary: &syn::ExprBinary, own: &Range<usize>) {
        use BinOp::{
            Add, AddAssign, And, BitAnd, BitOr, BitOrAssign, Div, Eq, Ge, Gt, Le, Lt, Mul, Ne, Or, Rem, Sub, SubAssign,
        };
        let (left, right) = (range(&binary.left), range(&binary.right));
        let other = match binary.op {
            // Each operand left out. What notices that also notices the one operator in place of the other.
            And(_) | Or(_) => {
                self.add(Kind::Check, left.end..right.end, "", own.clone());
                // `a || b || c` is `(a || b) || c`: one at a time.
                if !matches!(&*binary.left, Expr::Binary(inner) if same(&inner.op, &binary.op)) {
                    self.add(Kind::Check, left.start..right.start, "", own.clone());
                }
                self.settled.extend([left, right]);
                return;
            }
            Lt(_) => "<=",
            Le(_) => "<",
            Gt(_) => ">=",
            Ge(_) => ">",
            Eq(_) if !self.settled.contains(own) => "!=",
            Ne(_) if !self.settled.contains(own) => "==",
            Add(_) | Sub(_) | Mul(_) if self.parts.contains(own) => return,
            Add(_) => "-",
            Sub(_) => "+",
            Mul(_) | Rem(_) => "/",
            Div(_) => "*",
            BitAnd(_) => "|",
            BitOr(_) => "&",
            BitOrAssign(_) => "=",
            AddAssign(_) => "-=",
            SubAssign(_) => "+=",
            _ => return,
        };
        let bound = matches!(binary.op, Lt(_) | Le(_) | Gt(_) | Ge(_));
        self.add(if bound { Kind::Bound } else { Kind::Operator }, range(binary.op), other, own.clone());
    }

    /// In `1 + 8 + 8`, only the last number and the last sign are changed: any other has the same effect.
    fn part_of_sum(&mut self, expr: &Expr) {
        self.parts.insert(range(expr));
        if let Expr::Binary(binary) = expr
            && matches!(binary.op, BinOp::Add(_) | BinOp::Sub(_) | BinOp::Mul(_))
        {
            self.part_of_sum(&binary.left);
            self.part_of_sum(&binary.right);
        }
    }

    /// A number, one more; and one less where it bounds a range or says which bytes are read.
    fn number(&mut self, number: &LitInt) {
        let Ok(value) = number.base10_parse::<u64>() else { return };
        let own = range(number);
        if self.parts.contains(&own) {
            return;
        }
        let (around, suffix) = (self.parent(&own), number.suffix());
        self.add(Kind::Number, own.clone(), format!("{}{suffix}", value.saturating_add(1)), around.clone());
        if self.in_range && value > 0 {
            self.add(Kind::Number, own, format!("{}{suffix}", value - 1), around);
        }
    }
}

/// The arguments of `matches!`.
struct Matches {
    value: Expr,
    pattern: Pat,
}

impl Parse for Matches {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let value = input.parse()?;
        input.parse::<Token![,]>()?;
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        input.parse::<TokenStream>()?;
        Ok(Self { value, pattern })
    }
}

/// Where something stands in the file.
fn range(of: impl Spanned) -> Range<usize> {
    of.span().byte_range()
}

fn one_line(text: &str) -> String {
    text.lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Two texts where they differ, with some of what is around it.
fn differing(was: &str, is: &str) -> (String, String) {
    let equal = |(a, b): &(char, char)| a == b;
    let before: usize = was.chars().zip(is.chars()).take_while(equal).map(|(a, _)| a.len_utf8()).sum();
    let (rest_was, rest_is) = (was.split_at(before).1, is.split_at(before).1);
    let after: usize =
        rest_was.chars().rev().zip(rest_is.chars().rev()).take_while(equal).map(|(a, _)| a.len_utf8()).sum();
    (shortened(was, before, was.len() - after), shortened(is, before, is.len() - after))
}

/// A long text, around the part from `start` to `end`.
fn shortened(text: &str, start: usize, end: usize) -> String {
    const LONG: usize = 100;
    const AROUND: usize = 30;
    if text.len() <= LONG {
        return text.to_owned();
    }
    let end = end.min(start + LONG);
    let (first, last) = (start.saturating_sub(AROUND), (end + AROUND).min(text.len()));
    let first = (first..=start).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let last = (last..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let cut = |cut| if cut { "…" } else { "" };
    format!("{}{}{}", cut(first > 0), text.get(first..last).unwrap_or_default(), cut(last < text.len()))
}

/// The last name of a path, such as that of a called function.
fn last_name(expr: &Expr) -> String {
    match expr {
        Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn is_compound(op: &BinOp) -> bool {
    matches!(op, BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::BitOrAssign(_))
}

fn same(one: &BinOp, other: &BinOp) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// Methods whose mutant is another method.
fn counterpart(method: &str) -> Option<&'static str> {
    Some(match method {
        "wrapping_add" => "wrapping_sub",
        "wrapping_sub" | "wrapping_mul" => "wrapping_add",
        "checked_add" => "checked_sub",
        "checked_sub" | "checked_mul" => "checked_add",
        "saturating_mul" => "saturating_add",
        "all" => "any",
        "any" => "all",
        _ => return None,
    })
}

/// Whether a pattern gives names to parts, which another arm does not have.
fn binds(pattern: &Pat) -> bool {
    match pattern {
        // A constant or a variant without fields looks the same, and begins with a capital letter.
        Pat::Ident(ident) => ident.ident.to_string().starts_with(|first: char| first.is_lowercase()),
        Pat::TupleStruct(inner) => inner.elems.iter().any(binds),
        Pat::Tuple(inner) => inner.elems.iter().any(binds),
        Pat::Struct(inner) => inner.fields.iter().any(|field| binds(&field.pat)),
        Pat::Or(inner) => inner.cases.iter().any(binds),
        Pat::Reference(inner) => binds(&inner.pat),
        _ => false,
    }
}

/// The parts between the commas of a list of constraints.
fn split_at_commas(tokens: TokenStream) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => open = false,
            _ => {
                let own = match &token {
                    TokenTree::Group(group) if group.delimiter() != Delimiter::None => {
                        group.span_open().byte_range().start..group.span_close().byte_range().end
                    }
                    other => other.span().byte_range(),
                };
                match parts.last_mut().filter(|_| open) {
                    Some(part) => part.end = own.end,
                    None => parts.push(own),
                }
                open = true;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mutants of a text that leave something out or turn it round, each by what it has instead of what; one line
    /// each.
    fn changes(text: &str) -> Vec<String> {
        changes_where(text, |kind| kind < Kind::Elements)
    }

    /// Those of a kind.
    pub(super) fn changes_of(kind: Kind, text: &str) -> Vec<String> {
        changes_where(text, |other| other == kind)
    }

    fn changes_where(text: &str, wanted: impl Fn(Kind) -> bool) -> Vec<String> {
        let found = mutants("file.rs", text).unwrap();
        found
            .iter()
            .filter(|mutant| wanted(mutant.kind))
            .map(|mutant| {
                let mutated = mutant.apply(text).unwrap();
                syn::parse_file(&mutated).unwrap_or_else(|error| panic!("{}: {error}\n{mutated}", mutant.name));
                mutant.name.split_once(": ").unwrap().1.to_owned()
            })
            .collect()
    }

    #[test]
    fn a_check_is_removed_negated_and_moved_by_one() {
        assert_eq!(
            changes("fn f() -> Result<()> { ensure(now < end, Late)?; ensure(a == b, Other) }"),
            [
                "`now < end` as `true`",
                "`now < end` as `!(now < end)`",
                "`now < end` as `now <= end`",
                "`a == b` as `true`",
                "`a == b` as `!(a == b)`",
            ]
        );
        assert_eq!(
            changes("fn f() { if a || !b { return Err(No); } }"),
            ["`a || !b` as `false`", "`a || !b` as `!(a || !b)`", "`a || !b` as `a`", "`a || !b` as `!b`",]
        );
        assert_eq!(changes("fn f() { require!(is(x), No); }"), ["`is(x)` as `true`", "`is(x)` as `!(is(x))`"]);
    }

    #[test]
    fn a_step_is_left_out() {
        assert_eq!(
            changes("fn f() -> Result<()> { self.at = now; header.invariant(all)?; enter(status); last(x) }"),
            [
                "`last(x)` as `Ok(())`",
                "without `self.at = now;`",
                "without `header.invariant(all)?;`",
                "without `enter(status);`",
            ]
        );
        assert_eq!(
            changes("fn f() { let x = a.checked_sub(b).ok_or(No)?; }"),
            [
                "`a.checked_sub(b).ok_or(No)?` as `a.checked_sub(b).unwrap_or_default()`",
                "`checked_sub(b)` as `checked_add(b)`"
            ]
        );
    }

    #[test]
    fn an_account_loses_its_constraints() {
        let text =
            "#[derive(Accounts)] struct A { #[account(mut, address = x.y @ E::No, unsafe(dup))] a: Option<Signer> }";
        assert_eq!(
            changes(text),
            [
                "`a` without `mut`",
                "`a` without `address = x.y @ E::No`",
                "`a` without `unsafe(dup)`",
                "`a: Option<Signer>` as `a: Option<UncheckedAccount>`",
            ]
        );
    }

    #[test]
    fn a_case_is_left_out_and_mistaken_for_the_next() {
        assert_eq!(
            changes("fn f() { match kind { A | B => x, _ => y } }"),
            [
                "without the arm `A | B`",
                "`A | B` as `B`",
                "`A | B` as `A`",
                "`A | B => x` as `A | B => y`",
                "`_ => y` as `_ => x`"
            ]
        );
        assert_eq!(
            changes("fn f() { matches!(t, (None, None)) }"),
            ["`(None, None)` as `(_, None)`", "`(None, None)` as `(None, _)`"]
        );
    }

    #[test]
    fn a_limit_is_one_more_and_one_less() {
        assert_eq!(changes("const MAX: u16 = 8;"), ["`MAX: u16 = 8` + 1", "`MAX: u16 = 8` - 1"]);
    }

    #[test]
    fn the_same_change_twice_has_two_names() {
        let names = changes("fn f() { step(); step(); }");
        assert_eq!(names, ["without `step();`", "without `step();` #2"]);
    }

    #[test]
    fn what_does_not_run_on_chain_is_left_alone() {
        assert_eq!(changes("#[cfg(test)] mod tests { fn f() { step(); } }"), [""; 0]);
        assert_eq!(changes("const _: () = assert!(1 + 1 == 2); /// `a == 1`\nstruct S { a: [u8; 3] }"), [""; 0]);
    }
}
