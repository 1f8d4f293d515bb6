"""The black-box flows, over HTTP, against what was deployed. Each is a sentence that must be true."""

import hashlib
import hmac
import json
import pathlib
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from contract import Answer, Api, Broken, expect, same
from processes import Emulator, Issuer, Sandbox

FIXTURES = pathlib.Path(__file__).resolve().parent.parent.parent / "shared/escrow-gateways/fixtures/stripe"
# The schedule ticks once a minute, counted from when it was made.
ONE_TICK = 100
SOON = 20


class World:
    """A deployment, its Stripe, and somebody who signs tokens."""

    def __init__(self, api: Api, emulator: Emulator, sandbox: Sandbox, issuer: Issuer, table):
        self.api, self.emulator, self.sandbox, self.issuer, self.table = api, emulator, sandbox, issuer, table
        self._deals = 0

    def deal(self, **asked) -> "Deal":
        """A new escrow between two users whom nobody has met before."""
        self._deals += 1
        return Deal(self, self._deals, asked)

    def stripe(self, method: str, path: str, body: dict | None = None) -> dict:
        """A call of the sandbox."""
        url = path if path.startswith("http") else self.sandbox.url + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers={"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read())

    def until(self, what: str, seconds: float, probe):
        """Waits for something that happens by itself."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = probe()
            if found:
                return found
            time.sleep(0.2)
        raise Broken(f"after {seconds} s still not: {what}")


class Deal:
    """An escrow with its buyer and seller."""

    def __init__(self, world: World, number: int, asked: dict, seller: str = ""):
        self.world, self.api = world, world.api
        self.buyer, self.seller = f"usr_buyer_{number}", asked.pop("seller", f"usr_seller_{number}")
        self.buyer_token, self.seller_token = world.issuer.token(self.buyer), world.issuer.token(self.seller)
        self.body = {
            "kind": "service",
            "subject": {"type": "job", "id": f"job_{number}"},
            "buyer": self.buyer,
            "seller": self.seller,
            "currency": "SAR",
            "amount": "150.00",
            "gateway": "stripe",
        } | asked
        made = self.api.post("/v1/checkouts", self.buyer_token, f"checkout-{number}", self.body, 201).body
        self.id, self.page = made["escrow"]["id"], made["checkout"]["url"]
        self.path = f"/v1/escrows/{self.id}"

    def pay(self, **how) -> None:
        """Plays the buyer at the payment page."""
        self.world.stripe("POST", self.page, {"outcome": "paid"} | how)

    def now(self) -> dict:
        """The escrow as its buyer sees it."""
        return self.api.get(self.path, self.buyer_token)

    def becomes(self, status: str, seconds: float = SOON) -> dict:
        """Waits until it stands there."""
        is_there = lambda: (seen := self.now())["status"] == status and seen
        try:
            return self.world.until(f"{self.id} {status}", seconds, is_there)
        except Broken as broken:
            raise Broken(f"{broken}; it is {self.now()['status']}") from None

    def held(self, **how) -> "Deal":
        """Paid, and held."""
        self.pay(**how)
        self.becomes("held")
        return self

    def by_buyer(self, command: str, body: dict | None = None, status: int = 200, key: str = "") -> Answer:
        """A command of the buyer's."""
        return self.api.post(f"{self.path}/{command}", self.buyer_token, key or command, body, status)

    def by_seller(self, command: str, body: dict | None = None, status: int = 200) -> Answer:
        """A command of the seller's."""
        return self.api.post(f"{self.path}/{command}", self.seller_token, command, body, status)

    def events(self) -> list[dict]:
        """The journal, oldest first; every entry's debits and credits are equal."""
        entries = self.api.get(f"{self.path}/events?limit=100", self.buyer_token)["data"]
        for entry in entries:
            sums: dict[str, Decimal] = {}
            for posting in entry["postings"]:
                sign = 1 if posting["direction"] == "debit" else -1
                currency = posting["currency"]
                sums[currency] = sums.get(currency, Decimal(0)) + sign * Decimal(posting["amount"])
            same(f"the sums of {entry['id']}", {currency: Decimal(0) for currency in sums}, sums)
        return entries[::-1]

    def available(self) -> str:
        """What the seller's wallet holds; its statement must lead there."""
        path = f"/v1/wallets/{self.seller}"
        balances = self.api.get(path, self.seller_token)["balances"]
        lines = self.api.get(f"{path}/transactions?limit=100", self.seller_token)["data"]
        if not balances:
            same("lines without a wallet", [], lines)
            return "0.00"
        for newer, older in zip(lines, lines[1:]):
            same("the balance between two lines", older["balance_after"], newer["balance_before"])
        same("the newest line", balances[0]["available"], lines[0]["balance_after"])
        return balances[0]["available"]

    def refunds_at_stripe(self) -> list[dict]:
        """What the sandbox knows of refunds of this escrow."""
        shown = self.world.stripe("GET", "/_local/sandbox/stripe")
        return [refund for refund in shown["refunds"] if self.id in json.dumps(refund)]


def a_buyer_pays_once_and_releases_to_the_seller_once(world: World) -> None:
    """However often the gateway tells it and the buyer clicks."""
    deal = world.deal()
    same("the new escrow", "pending", deal.now()["status"])
    deal.held(duplicates=5, shuffle=True)
    deal.by_seller("deliver", {"note": "Done."})
    first = deal.by_buyer("release", {})
    again = deal.by_buyer("release", {})
    same("the repeated answer", ("released", "true"), (again.body["status"], again.headers.get("idempotency-replayed")))
    same("the same version", first.headers["etag"], again.headers["etag"])
    expect(deal.by_buyer("release", {}, 409, key="another"), 409, "transition_refused")
    same("the seller's wallet", "135.00", deal.available())
    types = [entry["type"] for entry in deal.events()]
    same("how often", (1, 1, 1), (types.count("fund"), types.count("deliver"), types.count("release")))


def what_is_delivered_releases_by_itself_on_the_schedule(world: World) -> None:
    """Nobody calls anything: EventBridge does."""
    deal = world.deal(policy={"auto_release_after": "PT1S"}).held()
    deal.by_seller("deliver")
    deal.becomes("released", ONE_TICK)
    same("who did it", "clock", deal.events()[-1]["actor"]["role"])
    same("the seller's wallet", "135.00", deal.available())


def a_refund_reaches_stripe_once(world: World) -> None:
    """Through the queue, by settle."""
    deal = world.deal().held()
    deal.by_seller("refund", {"reason": "I cannot take the job."})
    deal.by_seller("refund", {"reason": "I cannot take the job."})
    refunded = deal.becomes("refunded")
    same("what went back", "150.00", refunded["refunded"])
    same("refunds at Stripe", 1, len(deal.refunds_at_stripe()))


def a_payment_of_a_cancelled_escrow_goes_back(world: World) -> None:
    """The page is closed; a payment that arrives all the same is refunded."""
    deal = world.deal()
    deal.by_buyer("cancel", {"reason": "Found somebody nearer."})
    world.until("the payment is closed", SOON, lambda: deal.now()["payments"][0]["status"] == "closed")
    deal.pay(late=True)
    world.until("a refund at Stripe", ONE_TICK, deal.refunds_at_stripe)
    same("the escrow", "cancelled", deal.now()["status"])
    same("refunds at Stripe", 1, len(deal.refunds_at_stripe()))


def a_dispute_locks_the_money_until_it_is_withdrawn(world: World) -> None:
    """And an arbiter waits for the evidence."""
    deal = world.deal().held()
    deal.by_seller("deliver")
    deal.by_buyer("dispute", {"reason": "The files do not open."})
    expect(deal.by_buyer("release", {}, 409), 409, "transition_refused")
    arbiter = world.issuer.token("usr_judge", "arbiter")
    early = {"to_buyer": "150.00", "reason": "Clear enough."}
    expect(deal.api.post(f"{deal.path}/dispute/rule", arbiter, "rule", early, 409), 409, "too_early")
    deal.by_buyer("dispute/withdraw", {})
    same("after the withdrawal", "delivered", deal.now()["status"])


def strangers_and_bad_input_change_nothing(world: World) -> None:
    """Each with its own problem."""
    deal = world.deal()
    api, stranger = world.api, world.issuer.token("usr_stranger")
    expect(api.call("GET", deal.path), 401, "unauthenticated")
    expect(api.call("GET", deal.path, token="a.b.c"), 401, "token_invalid")
    expect(api.call("GET", deal.path, token=stranger), 404, "not_found")
    expect(api.call("POST", f"{deal.path}/release", token=deal.buyer_token, body={}), 400, "idempotency_key_missing")
    bodies = [
        ({"amount": "1.234"}, 400, "amount_invalid"),
        ({"amount": "1e3"}, 400, "amount_invalid"),
        ({"amount": "0"}, 400, "amount_invalid"),
        ({"amount": 150}, 400, "amount_invalid"),
        ({"currency": "XXX"}, 400, "currency_unknown"),
        ({"gateway": "nobody"}, 400, "gateway_unknown"),
        ({"gateway": "paypal"}, 422, "gateway_not_configured"),
        ({"seller": deal.buyer}, 422, "buyer_is_seller"),
        ({"price": "1.00"}, 400, "unknown_field"),
    ]
    for number, (wrong, status, code) in enumerate(bodies):
        call = {"token": deal.buyer_token, "key": f"bad-{number}", "body": deal.body | wrong}
        expect(api.call("POST", "/v1/checkouts", **call), status, code)
    event = b'{"id": "evt_1", "type": "checkout.session.completed"}'
    forged = {"stripe-signature": f"t={int(time.time())},v1={'0' * 64}"}
    expect(api.call("POST", "/v1/webhooks/stripe", raw=event, headers=forged), 400, "signature_invalid")
    expect(api.call("POST", "/v1/webhooks/nobody", raw=event, headers=forged), 404, "not_found")
    same("the escrow", "pending", deal.now()["status"])


def an_event_about_nobody_is_kept_and_tried_again(world: World) -> None:
    """Signed by the gateway, about an escrow that does not exist: durable first, then the sweep and settle come back to it."""
    body = (FIXTURES / "checkout.session.completed.json").read_bytes()
    now = int(time.time())
    mac = hmac.new(Sandbox.SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"stripe-signature": f"t={now},v1={mac}"}
    taken = expect(world.api.call("POST", "/v1/webhooks/stripe", raw=body, headers=headers), 200)
    same("what became of it", "parked", taken.body["outcome"])
    key = {"pk": f"I#stripe#{json.loads(body)['id']}", "sk": "I"}
    world.until("it is put off", 2 * ONE_TICK, lambda: "n" in world.table.get_item(Key=key, ConsistentRead=True)["Item"])


def functions_that_are_killed_lose_nothing_and_do_nothing_twice(world: World) -> None:
    """kill -9, again and again, while ten buyers release to one seller."""
    deals = [world.deal(seller="usr_popular_seller").held() for _ in range(10)]
    over = threading.Event()
    killed = 0

    def kill() -> None:
        nonlocal killed
        while not over.wait(0.1):
            killed += world.emulator.kill_a_function()

    def release(deal: Deal) -> None:
        for _ in range(100):
            try:
                answer = deal.api.call("POST", f"{deal.path}/release", token=deal.buyer_token, key="release", body={})
            except (Broken, OSError):
                # The gateway's own answer for a function that died, or none: the same request with the same key again.
                answer = None
            if answer and answer.status == 200:
                return
            time.sleep(0.2)
        raise Broken(f"{deal.id} could not be released")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with ThreadPoolExecutor(len(deals)) as pool:
            list(pool.map(release, deals))
    finally:
        over.set()
        killer.join()
    if not killed:
        raise Broken("no function was ever killed, so this has shown nothing")
    same("the seller's wallet", "1350.00", deals[0].available())
    for deal in deals:
        same("releases", 1, [entry["type"] for entry in deal.events()].count("release"))


ALL = [
    strangers_and_bad_input_change_nothing,
    a_buyer_pays_once_and_releases_to_the_seller_once,
    a_refund_reaches_stripe_once,
    a_payment_of_a_cancelled_escrow_goes_back,
    a_dispute_locks_the_money_until_it_is_withdrawn,
    what_is_delivered_releases_by_itself_on_the_schedule,
    an_event_about_nobody_is_kept_and_tried_again,
    functions_that_are_killed_lose_nothing_and_do_nothing_twice,
]
