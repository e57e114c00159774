//! Several calls in one request.

use escrow_fault_proxy::{Answer, Delivery, Fault, Http, Lie, Nonsense, Number, Quantity, RpcError, Rule, Told};
use serde_json::{Value, json};

use crate::{
    client::{End, post, send_call},
    node::{blockhash, signature},
    stage,
};

fn calls() -> Value {
    let call = |id: &str, method: &str| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": [] });
    let mut send = send_call(1, &blockhash(1000));
    send["id"] = json!("send");
    json!([call("slot", "getSlot"), send, call("height", "getBlockHeight"), call("slot", "getSlot")])
}

#[tokio::test]
async fn a_batch_passes_as_it_is() {
    let (node, proxy) = stage([]).await;
    let body = calls().to_string().replace(',', " , ");
    let answers = post(&proxy.url(), &body).await.json();
    assert_eq!(node.bodies(), [body]);
    assert_eq!(answers.as_array().unwrap().len(), 4);
    let entries = proxy.log().entries();
    let methods: Vec<&str> = entries.iter().map(|entry| entry.method.as_str()).collect();
    assert_eq!(methods, ["getSlot", "sendTransaction", "getBlockHeight", "getSlot"]);
    for (entry, answer) in entries.iter().zip(answers.as_array().unwrap()) {
        assert_eq!(entry.told, Told::Answer(answer.clone()));
        assert!(matches!(&entry.delivery, Delivery::Answered { answer: really, .. } if really == answer));
    }
}

#[tokio::test]
async fn each_call_of_a_batch_meets_its_own_faults() {
    let lie = Fault::Lie(Lie::Number { of: Quantity::Slot, is: Number::Add(1) });
    let refused = Fault::Answer { delivered: false, with: Answer::Rpc(RpcError::usual(-32005)) };
    let rules = [
        Rule::on("sendTransaction", Fault::Drop),
        Rule::on("getBlockHeight", refused),
        // The second of the two alone.
        Rule::on("getSlot", lie).from(2),
    ];
    let (node, proxy) = stage(rules).await;
    let answers = post(&proxy.url(), &calls().to_string()).await.json();
    let ids: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, ["slot", "send", "height", "slot"]);
    assert_eq!(answers[0]["result"], 1000);
    assert_eq!(answers[1]["result"], signature(1));
    assert_eq!(answers[2]["error"]["code"], -32005);
    assert_eq!(answers[3]["result"], 1001);
    let delivered: Vec<Value> = serde_json::from_str(&node.bodies()[0]).unwrap();
    assert_eq!(delivered.len(), 2, "{delivered:?}");
    let rules: Vec<Vec<usize>> = proxy.log().entries().into_iter().map(|entry| entry.rules).collect();
    assert_eq!(rules, [vec![], vec![0], vec![1], vec![2]]);
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_delivered_is_answered() {
    let rules = [Rule::on("sendTransaction", Fault::Drop)];
    let (node, proxy) = stage(rules).await;
    let batch = json!([send_call(1, &blockhash(1000)), send_call(2, &blockhash(1000))]);
    let answers = post(&proxy.url(), &batch.to_string()).await.json();
    assert_eq!(answers[1]["result"], signature(2));
    assert!(node.bodies().is_empty());
}

#[tokio::test]
async fn what_one_call_meets_on_the_wire_all_do() {
    for delivered in [true, false] {
        let lost = Fault::Answer { delivered, with: Answer::Reset };
        let (node, proxy) = stage([Rule::on("sendTransaction", lost)]).await;
        assert_eq!(post(&proxy.url(), &calls().to_string()).await.end, End::Reset);
        assert_eq!(node.bodies().len(), usize::from(delivered));
        assert!(proxy.log().entries().iter().all(|entry| entry.told == Told::Fault(Answer::Reset)));
    }
}

#[tokio::test]
async fn all_answers_of_a_batch_have_another_id() {
    let wrong = Fault::Answer { delivered: true, with: Answer::Nonsense(Nonsense::WrongId) };
    let (_node, proxy) = stage([Rule::on("getBlockHeight", wrong)]).await;
    let answers = post(&proxy.url(), &calls().to_string()).await.json();
    assert!(answers.as_array().unwrap().iter().all(|answer| answer["id"].as_str().unwrap().ends_with('?')));
}

#[tokio::test]
async fn a_batch_may_hold_what_is_no_call() {
    let refused = Fault::Answer { delivered: true, with: Answer::Http(Http::status(503)) };
    let (node, proxy) = stage([Rule::on("getSlot", refused)]).await;
    node.set_answer(200, "[]");
    let seen = post(&proxy.url(), "[1, null, {\"method\": 3}, [[]], {\"id\": 1}]").await;
    assert_eq!(seen.text(), "[]");
    assert_eq!(proxy.log().entries().len(), 5);
}

#[tokio::test]
async fn a_notification_is_not_answered() {
    let (node, proxy) = stage([Rule::on("getSlot", Fault::Lie(Lie::Result(json!(5)))).from(2)]).await;
    let batch = json!([{ "jsonrpc": "2.0", "method": "getSlot" }, { "jsonrpc": "2.0", "method": "getSlot", "id": 2 }]);
    node.set_answer(200, r#"[{"jsonrpc":"2.0","id":2,"result":1}]"#);
    let answers = post(&proxy.url(), &batch.to_string()).await.json();
    assert_eq!(answers, json!([{ "jsonrpc": "2.0", "id": 2, "result": 5 }]));
}
