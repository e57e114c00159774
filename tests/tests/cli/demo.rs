//! The demo, once.

use serde_json::Value;

use crate::{Folder, Ran, command};

/// An amount in thousand-millionths, with its sign.
fn units(text: &str) -> i128 {
    let (sign, digits) = match text.chars().next().unwrap() {
        '+' => (1, text.strip_prefix('+').unwrap()),
        '−' => (-1, text.strip_prefix('−').unwrap()),
        _ => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    sign * format!("{whole}{fraction:0<9}").parse::<i128>().unwrap()
}

#[test]
fn all_stories_end_as_agreed() {
    let folder = Folder::new();
    let ran = Ran::new("demo", command(&folder).args(["demo", "--output", "json"]).output().unwrap()).succeeds();
    let demo = ran.json();
    let stories = demo["stories"].as_array().unwrap();
    let mut titles: Vec<(&str, &str)> = Vec::new();
    for story in stories {
        let (title, asset) = (story["title"].as_str().unwrap(), story["asset"].as_str().unwrap());
        titles.push((title, asset));
        let steps = story["steps"].as_array().unwrap();
        let did = |step: &Value, what: &str| step["what"].as_str().unwrap().starts_with(what);
        assert!(did(&steps[0], "escrow create"), "{title}");
        assert!(did(steps.last().unwrap(), "escrow close"), "{title}");
        for step in steps {
            assert!(step["who"] != "" && step["what"] != "", "{title}: {step}");
        }

        // Nothing is made and nothing is lost, but for transaction fees in SOL.
        let mut sum = 0;
        for balance in story["balances"].as_array().unwrap() {
            let [before, after] = ["before", "after"]
                .map(|when| units(balance[when]["text"].as_str().unwrap().split_once(' ').unwrap().0));
            let change = units(balance["change"].as_str().unwrap());
            assert_eq!(after - before, change, "{title}, in {asset}: {balance}");
            sum += change;
        }
        if asset == "SOL" {
            assert!(sum < 0 && sum % 5_000 == 0, "{title}: {sum}");
        } else {
            assert_eq!(sum, 0, "{title}, in {asset}");
        }
    }
    for wanted in
        ["A sale that goes well", "A seller who never delivers", "A buyer who never answers", "A partial release"]
    {
        let played = titles.iter().filter(|(title, _)| title.starts_with(wanted)).count();
        assert_eq!(played, 2, "\"{wanted}\" in {titles:?}");
    }
    assert!(std::fs::read_dir(&folder.0).unwrap().next().is_none(), "the demo leaves no files");
    assert_eq!(ran.err, "", "nobody watches: no progress");
}
