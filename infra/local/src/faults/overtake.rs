//! The write of somebody faster, made from the write that it overtakes.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

/// A token that no write of ours has.
const SOMEBODY_ELSES: &str = "c29tZWJvZHkgZWxzZXMhIQ==";

/// What somebody faster sends: `None` if the request writes no such member.
pub(super) fn request(overtaken: &HttpRequest, member: usize) -> Option<HttpRequest> {
    let body: Value = serde_json::from_slice(overtaken.body().bytes()?).ok()?;
    let put = match super::operation(overtaken) {
        "PutItem" if member == 0 => &body,
        "TransactWriteItems" => body.pointer(&format!("/TransactItems/{member}/Put"))?,
        _ => return None,
    };
    let (operation, faster) = write(put)?;
    let faster = faster.to_string();
    let mut request = overtaken.try_clone()?;
    request.headers_mut().insert("x-amz-target", format!("DynamoDB_20120810.{operation}"));
    request.headers_mut().insert("content-length", faster.len().to_string());
    *request.body_mut() = SdkBody::from(faster);
    Some(request)
}

/// One version further than what the put expects; or, where it expects nothing, the same item by somebody else.
fn write(put: &Value) -> Option<(&'static str, Value)> {
    let item = put.get("Item")?;
    if put.pointer("/ExpressionAttributeValues/:v").is_none() {
        let mut theirs = item.clone();
        *theirs.get_mut("w")? = json!({ "B": SOMEBODY_ELSES });
        // Where something stands already nobody puts it anew.
        let condition = "attribute_not_exists(pk)";
        let faster = json!({ "TableName": put.get("TableName")?, "Item": theirs, "ConditionExpression": condition });
        return Some(("PutItem", faster));
    }
    let update = json!({
        "TableName": put.get("TableName")?,
        "Key": { "pk": item.get("pk")?, "sk": item.get("sk")? },
        "UpdateExpression": "SET #a = #a + :one",
        "ExpressionAttributeNames": put.get("ExpressionAttributeNames")?,
        "ExpressionAttributeValues": { ":one": { "N": "1" } },
    });
    Some(("UpdateItem", update))
}
