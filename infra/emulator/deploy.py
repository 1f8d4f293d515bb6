"""Deploys what `sam build` has built onto the emulator, and adds what the emulator cannot read from the template."""

import os
import pathlib
import subprocess

import boto3
import yaml

from processes import REGION, ROOT, Emulator, Issuer, Sandbox

INFRA = pathlib.Path(__file__).resolve().parent.parent
STACK = "holdfast"
BUCKET = "artefacts"
METHODS = ("get", "put", "post", "delete", "patch")


def deploy(built: pathlib.Path, sam: str, emulator: Emulator, issuer: Issuer, stripe: str) -> dict[str, str]:
    """Deploys the stack; its outputs, and `url`, where its API answers."""
    aws = boto3.Session(ROOT["AWS_ACCESS_KEY_ID"], ROOT["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    client = lambda service: aws.client(service, endpoint_url=emulator.url)
    client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    secrets = client("secretsmanager")
    key = secrets.create_secret(Name="stripe-key", SecretString="sk_test_sandbox")["ARN"]
    webhook = secrets.create_secret(Name="stripe-webhook", SecretString=Sandbox.SECRET)["ARN"]
    parameters = {
        "Issuer": issuer.url,
        "Audience": issuer.AUDIENCE,
        "JwksUrl": f"{issuer.url}/jwks.json",
        "StripeSecretKeyArn": key,
        "StripeWebhookSecretArns": webhook,
        "StripeApiBase": f"{stripe}/sandbox/stripe",
        "SuccessUrl": "https://marketplace.example/paid",
        "CancelUrl": "https://marketplace.example/back",
        "DeletionProtection": "false",
        "Architecture": "x86_64" if os.uname().machine == "x86_64" else "arm64",
    }
    subprocess.run(
        [sam, "deploy", "--template-file", str(readable(built)), "--stack-name", STACK, "--s3-bucket", BUCKET]
        + ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"]
        + [f"{name}={value}" for name, value in parameters.items()],
        check=True,
        # Away from samconfig.toml, whose defaults are those of a real deployment.
        cwd=built,
        env=os.environ | ROOT | {"AWS_ENDPOINT_URL": emulator.url, "SAM_CLI_TELEMETRY": "0"},
    )
    stack = client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    add_routes(client("apigatewayv2"), client("lambda"), outputs["ApiId"])
    return outputs | {"url": f"{emulator.url}/_aws/execute-api/{outputs['ApiId']}/$default"}


def readable(built: pathlib.Path) -> pathlib.Path:
    """The built template without the one resource that the emulator does not know: an alarm made by arithmetic."""
    template = yaml.safe_load((built / "template.yaml").read_text(encoding="utf-8"))
    del template["Resources"]["FunctionErrorsAlarm"]
    path = built / "template-emulator.yaml"
    path.write_text(yaml.safe_dump(template, sort_keys=False), encoding="utf-8")
    return path


def add_routes(gateway, functions, api: str) -> None:
    """The emulator's HTTP API does not import a body, so each route of the document is made by hand."""
    document = yaml.safe_load((INFRA / "openapi.yaml").read_text(encoding="utf-8"))
    integrations: dict[str, str] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            function = item[method]["x-holdfast-function"]
            if function not in integrations:
                arn = functions.get_function(FunctionName=f"{STACK}-{function}")["Configuration"]["FunctionArn"]
                made = gateway.create_integration(
                    ApiId=api,
                    IntegrationType="AWS_PROXY",
                    IntegrationMethod="POST",
                    IntegrationUri=arn,
                    PayloadFormatVersion="2.0",
                )
                integrations[function] = made["IntegrationId"]
            target = f"integrations/{integrations[function]}"
            gateway.create_route(ApiId=api, RouteKey=f"{method.upper()} {path}", Target=target)
