"""What API Gateway calls a function with: the payloads of REST APIs and of HTTP APIs, as AWS documents them."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

SOURCE_IP, USER_AGENT = "203.0.113.9", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
HOST = "abcdefgh12.execute-api.eu-central-1.amazonaws.com"


def _body(body, *, binary):
    if body is None:
        return {"body": None, "isBase64Encoded": False}
    text = json.dumps(body)
    return {"body": base64.b64encode(text.encode()).decode() if binary else text, "isBase64Encoded": binary}


def rest_event(method, path, body=None, *, headers=(), cookies=(), query=(), binary=False):
    """Return an event of a REST API, payload format 1.0."""
    sent = {"Content-Type": "application/json", "Host": HOST, "User-Agent": USER_AGENT, **dict(headers)}
    if cookies:
        sent["Cookie"] = "; ".join(cookies)
    asked = dict(query)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": asked or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in asked.items()} or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefgh12",
            "domainName": HOST,
            "domainPrefix": "abcdefgh12",
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "httpMethod": method,
            "identity": {
                "accessKey": None,
                "accountId": None,
                "caller": None,
                "cognitoIdentityId": None,
                "sourceIp": SOURCE_IP,
                "user": None,
                "userAgent": USER_AGENT,
                "userArn": None,
            },
            "path": f"/prod{path}",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTime": "01/Mar/2026:12:34:56 +0000",
            "requestTimeEpoch": 1772368496000,
            "resourceId": "123456",
            "resourcePath": "/{proxy+}",
            "stage": "prod",
        },
        **_body(body, binary=binary),
    }


def http_event(method, path, body=None, *, headers=(), cookies=(), query=(), binary=False):
    """Return an event of an HTTP API, payload format 2.0."""
    sent = {"content-type": "application/json", "host": HOST, "user-agent": USER_AGENT}
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(dict(query)),
        "headers": sent | {name.lower(): value for name, value in dict(headers).items()},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefgh12",
            "domainName": HOST,
            "domainPrefix": "abcdefgh12",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": SOURCE_IP,
                "userAgent": USER_AGENT,
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Mar/2026:12:34:56 +0000",
            "timeEpoch": 1772368496000,
        },
        **_body(body, binary=binary),
    }
    return event | {"cookies": list(cookies)} if cookies else event


def set_cookies(answer):
    """Return the cookies an answer sets, in either format, as a browser would send them back."""
    many = answer.get("multiValueHeaders", {})
    lines = answer.get("cookies") or [
        line for name, values in many.items() if name.lower() == "set-cookie" for line in values
    ]
    return [line.partition(";")[0] for line in lines]
