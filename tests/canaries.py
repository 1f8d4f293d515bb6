#!/usr/bin/env python3
"""Seeded bugs: each is put into a copy of the tree, and the proofs that are named for it must fail.

A proof that cannot fail proves nothing. No switch for this is in the product: a bug is a change of the source, made in a worktree
under target/, so that no build of the product can ever have one. A bug whose place is not found any more fails as well.

    tests/canaries.py                 all of them
    tests/canaries.py --list          their names
    tests/canaries.py new-key …       only these
"""

import dataclasses
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / "target/canaries"
# A target folder of its own: Cargo names the artefacts of a worktree like those of the tree itself, and a build of the product must
# never find one with a bug in it.
BUILD = ROOT / "target/canaries-build"

DOMAIN = ("escrow-domain", "main")
PROOFS = ("holdfast-tests", "proofs")


@dataclasses.dataclass
class Canary:
    name: str
    file: str
    right: str
    wrong: str
    # (package and test binary, filter): each of them must fail.
    caught_by: list


CANARIES = [
    Canary(
        "write-without-version",
        "shared/escrow-store/src/write.rs",
        '("#a = :v", attribute::VERSION,',
        '("attribute_exists(#a) OR #a = :v", attribute::VERSION,',
        [
            (PROOFS, "crashes::a_release_survives_every_blow"),
            (PROOFS, "races::of_fifty_commands"),
        ],
    ),
    Canary(
        "own-write-by-version",
        "shared/escrow-store/src/write.rs",
        "let own = standing.is_some_and(|item| token.put(item));",
        "let _ = token;\n            let version = |item: &Item| read_number::<u64>(item, attribute::VERSION);\n"
        "            let own = standing.is_some_and(|item| version(item) == version(&write.item));",
        [
            (PROOFS, "races::of_fifty_commands"),
            (PROOFS, "crashes::a_delivery_survives_every_blow"),
        ],
    ),
    Canary(
        "amount-not-compared",
        "shared/escrow-domain/src/decide/facts.rs",
        "    if money != expected {\n        return Err(Misfit::other_amount(money, expected).into());\n    }\n"
        "    if draft.escrow.payments",
        "    let _ = expected;\n    if draft.escrow.payments",
        [(PROOFS, "bad_input::webhooks::a_signed_event_with_another"), (DOMAIN, "")],
    ),
    Canary(
        "empty-secret-accepted",
        "shared/escrow-gateways/src/secret.rs",
        "if text.is_empty() { None } else { Some(Self(text.to_owned())) }",
        "Some(Self(text.to_owned()))",
        [(("escrow-gateways", "gateways"), "")],
    ),
    Canary(
        "ready-again-after-doubt",
        "shared/escrow-domain/src/effect.rs",
        "        self.look_up_first = self.look_up_first || look_up_first;\n",
        "        self.look_up_first = self.look_up_first || look_up_first;\n        self.progress = Progress::Ready;\n",
        [(PROOFS, "crashes::a_refund_that_nobody_asks_about_for_a_day"), (DOMAIN, "effects_model")],
    ),
    Canary(
        "new-key",
        "shared/escrow-domain/src/effect.rs",
        'if self.key_suffix == 0 { id.to_string() } else { format!("{id}-{}", self.key_suffix) }',
        'format!("{id}-{}-{}", self.key_suffix, self.tries)',
        # A refund of the whole would be refused the second time, and a webhook would end the doubt: this is where neither helps.
        [(PROOFS, "crashes::a_ruling_whose_refund_nobody_hears_about")],
    ),
    Canary(
        "resend-after-the-keys-life",
        "shared/escrow-domain/src/effect.rs",
        "&& now.at < claim.first_sent.after(life)",
        "&& now.at.after(life) > claim.first_sent",
        [(PROOFS, "crashes::a_refund_that_nobody_asks_about_for_a_day"), (DOMAIN, "effects_model")],
    ),
    Canary(
        "effect-nobody-is-woken-for",
        "shared/escrow-domain/src/decide/tick.rs",
        ".chain(effects.map(|effect| effect.due_at))",
        ".chain(effects.map(|effect| effect.due_at).filter(|_| false))",
        [(PROOFS, "crashes::a_refund_survives_every_blow"), (PROOFS, "crashes::a_cancellation_survives_every_blow")],
    ),
    Canary(
        "lease-over-while-sending",
        "shared/escrow-domain/src/effect.rs",
        "Some(ended) if now.at < ended.after(QUIET) => {",
        "Some(ended) if now.at < ended => {",
        [(DOMAIN, "effects_model"), (DOMAIN, "payouts::lives::in_no_life")],
    ),
    Canary(
        "offer-accepted-unnamed",
        "shared/escrow-domain/src/decide/offers.rs",
        "let offer = dispute.proposal.filter(|offer| offer.number == number)?;",
        "let _ = number;\n        let offer = dispute.proposal?;",
        [(DOMAIN, "sentences::offers::only_the_latest_offer_counts"), (DOMAIN, "properties")],
    ),
    Canary(
        "ask-outlives-its-stage",
        "shared/escrow-domain/src/decide/lapse.rs",
        "None | Some(AskFor::Cancel) => now.stage == before.stage,",
        "None | Some(AskFor::Cancel) => true,",
        [(DOMAIN, "sentences::consent::an_ask_lapses"), (DOMAIN, "properties")],
    ),
    Canary(
        "fee-taken-again-of-every-part",
        "shared/escrow-domain/src/decide/draft.rs",
        "let sofar = fees::taken(fee, before.money.released, before.amount)?;",
        "let sofar = Minor::ZERO;",
        [(DOMAIN, "many"), (DOMAIN, "properties")],
    ),
    Canary(
        "clock-releases-what-is-disputed",
        "shared/escrow-domain/src/decide/tick.rs",
        "let held = draft.milestone(index)?.money.held;\n            draft.pay_seller(index, Bucket::Held, held)",
        "let money = draft.milestone(index)?.money;\n            draft.pay_seller(index, Bucket::Disputed, money.disputed)?;\n"
        "            draft.pay_seller(index, Bucket::Held, money.held)",
        [(DOMAIN, "sentences::disputes::only_the_disputed_part_is_locked"), (DOMAIN, "many")],
    ),
    Canary(
        "refusal-believed-while-a-twin-is-alive",
        "shared/escrow-domain/src/effect.rs",
        "self.earlier_lease.is_none_or(|ended| now >= ended.after(QUIET))",
        "self.earlier_lease.is_none_or(|ended| now >= ended)",
        [(DOMAIN, "effects_model"), (DOMAIN, "payouts::lives::in_no_life")],
    ),
    Canary(
        "payout-fails-but-keeps-the-money",
        "shared/escrow-domain/src/payout/facts.rs",
        "draft.record(PayoutTransition::Fail, by, Failed, Flow::GivenBack, words)?;",
        "draft.record(PayoutTransition::Fail, by, Failed, Flow::Nothing, words)?;",
        [(DOMAIN, "payouts::in_doubt"), (DOMAIN, "payouts::lives::in_no_life")],
    ),
    Canary(
        "reversal-booked-by-its-total",
        "shared/escrow-domain/src/payout/facts.rs",
        "let more = total.amount.minus(self.payout.returned)?;",
        "let more = total.amount;",
        [(DOMAIN, "payouts::came_back"), (DOMAIN, "payouts::lives::in_no_life")],
    ),
    Canary(
        "payout-of-more-than-is-there",
        "shared/escrow-domain/src/wallet.rs",
        "if amount > self.available {",
        "if amount > self.available.plus(self.pending)? {",
        [(DOMAIN, "payouts::wallets"), (DOMAIN, "payouts::lives::in_no_life")],
    ),
    Canary(
        "wallet-spends-beside-its-debt",
        "shared/escrow-domain/src/wallet.rs",
        "self.available = self.available.plus(amount.minus(paid_off)?)?;",
        "self.available = self.available.plus(amount)?;",
        [(DOMAIN, "payouts::wallets"), (DOMAIN, "payouts::came_back")],
    ),
    Canary(
        "asker-approves",
        "shared/escrow-domain/src/payout/operators.rs",
        "if decides && actor.sub.is_some()",
        "if decides && actor.sub.is_none()",
        [(DOMAIN, "payouts::by_hand")],
    ),
    Canary(
        "payout-leaves-a-wallet-on-hold",
        "shared/escrow-domain/src/payout/work.rs",
        "let way = if wallet.hold.is_some() { Way::Stopped } else { Way::Free };",
        "let _ = wallet;\n        let way = Way::Free;",
        [(DOMAIN, "payouts::in_doubt"), (DOMAIN, "payouts::lives::in_no_life")],
    ),
    Canary(
        "top-up-capture-credited-again",
        "shared/escrow-domain/src/top_up/facts.rs",
        "if top_up.payment.capture(capture).is_some() {",
        "if top_up.payment.captures.len() > 9 {",
        [(DOMAIN, "payouts::top_ups")],
    ),
    Canary(
        "fact-named-by-its-event",
        "shared/escrow-gateways/src/hear.rs",
        'let Some(operation) = fact.operation(gateway.name()) else { return Heard::Nothing("ignored") };',
        'if fact.operation(gateway.name()).is_none() {\n        return Heard::Nothing("ignored");\n    }\n'
        '    let operation = Operation::of_gateway(gateway.name(), &notice.event_id, "told");',
        # What a webhook has told is read once more in the gateway's own lists.
        [(PROOFS, "webhooks::chargebacks::what_was_told_to_nobody"), (PROOFS, "simulation")],
    ),
    Canary(
        "clock-runs-during-a-freeze",
        "shared/escrow-domain/src/decide/tick.rs",
        "        if self.is_stopped() {\n            return timers;\n        }\n",
        "",
        [(DOMAIN, "sentences::stops"), (DOMAIN, "properties"), (PROOFS, "stories::frozen")],
    ),
    Canary(
        "refund-sent-during-a-freeze",
        "shared/escrow-domain/src/work.rs",
        "            Task::Refund(_) if self.is_stopped() => Way::Stopped,\n",
        "",
        [(DOMAIN, "sentences::stops"), (PROOFS, "refunds::a_refund_that_never_reached")],
    ),
    Canary(
        "second-capture-taken-for-the-first",
        "shared/escrow-domain/src/decide/facts.rs",
        ".any(|payment| payment.capture(capture).is_some())",
        ".any(|payment| !payment.captures.is_empty())",
        [(DOMAIN, "sentences::money_in::another_capture"), (PROOFS, "stories::payments::a_second_capture")],
    ),
    Canary(
        "late-payment-funds-what-expired",
        "shared/escrow-domain/src/lifecycle.rs",
        "row(Gateway,  &[Pending],             Becomes(Held)),",
        "row(Gateway,  &[Pending, Expired],    Becomes(Held)),",
        [(DOMAIN, "sentences::money_in::a_late_payment"), (PROOFS, "stories::payments::a_late_payment")],
    ),
    Canary(
        "silence-taken-for-a-failed-payout",
        "functions/settle/src/payout.rs",
        "let look_up_first = matches!(error, CallError::ServerError { .. });\n"
        "                self.later(payout, look_up_first, &error).await",
        'let outcome = TransferOutcome::Failed("it did not answer".to_owned());\n'
        '                let operation = Operation::of_gateway(self.gateway.name(), &key, "refused");\n'
        "                self.book(payout, transfer(self.gateway.name(), key, ask.money, outcome), operation).await",
        [(PROOFS, "payouts::a_payout_survives_every_blow"), (PROOFS, "payouts::a_tied_payout_survives_every_blow")],
    ),
]


def run(*command, **options):
    # A folder of its own: Cargo names what it builds by the place inside the workspace, so that in a shared one the product's own
    # tests could be run with a bug in them.
    return subprocess.run(command, cwd=TREE, env=os.environ | {"CARGO_TARGET_DIR": str(BUILD)}, **options)


def fails(suite, only):
    """Whether this proof fails, and does so by a test, not by the compiler."""
    package, binary = suite
    test = ["cargo", "test", "--quiet", "--package", package, "--test", binary]
    built = run(*test, "--no-run", capture_output=True, text=True)
    if built.returncode:
        sys.exit(f"the bug does not compile:\n{built.stderr[-4000:]}")
    ran = run(*test, "--", only, capture_output=True, text=True)
    if " 0 passed; 0 failed" in ran.stdout:
        sys.exit(f"{package} has no test {only}")
    return "test result: FAILED" in ran.stdout


def try_out(canary):
    path = TREE / canary.file
    source = path.read_text()
    if source.count(canary.right) != 1:
        print(f"STALE   {canary.name}: its place in {canary.file} is not found", flush=True)
        return False
    path.write_text(source.replace(canary.right, canary.wrong))
    try:
        caught = True
        for suite, only in canary.caught_by:
            found = fails(suite, only)
            print(f"{'caught ' if found else 'MISSED '} {canary.name}: {suite[0]} {only}", flush=True)
            caught = caught and found
        return caught
    finally:
        path.write_text(source)


def main(names):
    if names == ["--list"]:
        print("\n".join(canary.name for canary in CANARIES))
        return
    unknown = set(names) - {canary.name for canary in CANARIES}
    if unknown:
        sys.exit(f"no such bug: {', '.join(sorted(unknown))}")
    subprocess.run(["git", "worktree", "remove", "--force", TREE], cwd=ROOT, capture_output=True)
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", TREE, "HEAD"], cwd=ROOT, check=True)
    try:
        wanted = [canary for canary in CANARIES if not names or canary.name in names]
        results = [try_out(canary) for canary in wanted]
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", TREE], cwd=ROOT, check=True)
    if not all(results):
        sys.exit("a seeded bug was not caught")


if __name__ == "__main__":
    main(sys.argv[1:])
