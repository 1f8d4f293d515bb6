//! The stable names of everything that can go wrong, each with its status and its title.
//!
//! How a status was chosen: by what whoever sees it will do. 4xx: the caller changes something (400 the form, 422 the meaning,
//! 409 the moment, 412 what it believes to be there); 503: the caller sends the same again; 500: an operator reads the log.

use http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal;)+) => {
        /// What went wrong. Clients compare the text of [`Code::as_str`]; it never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name),+ }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as the API writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),+ }
            }

            /// A short sentence that is the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }
    };
}

codes! {
    /// The request carries no bearer token.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "A token is needed";
    /// The token was good once.
    TokenExpired = "token_expired", UNAUTHORIZED, "The token has expired";
    /// The token is not one that we accept, for whatever other reason.
    TokenInvalid = "token_invalid", UNAUTHORIZED, "The token is not valid";
    /// A party, who may not do this.
    Forbidden = "forbidden", FORBIDDEN, "Not allowed";
    /// There is no such thing, or the caller is no party to it: the two look the same.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";

    /// A request that creates something or moves money came without a key.
    IdempotencyKeyMissing = "idempotency_key_missing", BAD_REQUEST, "An Idempotency-Key is needed";
    /// The key is empty, too long, given twice, or not printable.
    IdempotencyKeyInvalid = "idempotency_key_invalid", BAD_REQUEST, "The Idempotency-Key is not valid";
    /// The key belongs to a request with another body.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The Idempotency-Key was used for another request";

    /// The body is not the JSON that this call takes.
    BodyInvalid = "body_invalid", BAD_REQUEST, "The body is not valid";
    /// The body has a field that this call does not know.
    UnknownField = "unknown_field", BAD_REQUEST, "The body has an unknown field";
    /// The body is larger than this call takes.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is not called JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body must be application/json";
    /// The body carries a card's number or its security code.
    CardDataRefused = "card_data_refused", BAD_REQUEST, "Card data must not be sent here";
    /// A query parameter is unknown, doubled or malformed.
    QueryInvalid = "query_invalid", BAD_REQUEST, "The query is not valid";
    /// The cursor is not one that this list gave.
    CursorInvalid = "cursor_invalid", BAD_REQUEST, "The cursor is not valid";
    /// `If-Match` is not one quoted version.
    IfMatchInvalid = "if_match_invalid", BAD_REQUEST, "If-Match is not valid";

    /// Not the decimal string of an amount in that currency.
    AmountInvalid = "amount_invalid", BAD_REQUEST, "The amount is not valid";
    /// An amount that the gateway cannot take exactly.
    AmountNotSupported = "amount_not_supported", UNPROCESSABLE_ENTITY, "The gateway cannot take this amount";
    /// No currency or registered coin has that code.
    CurrencyUnknown = "currency_unknown", BAD_REQUEST, "The currency is unknown";
    /// No gateway has that name.
    GatewayUnknown = "gateway_unknown", BAD_REQUEST, "The gateway is unknown";
    /// The gateway exists, but this deployment has no keys for it.
    GatewayNotConfigured = "gateway_not_configured", UNPROCESSABLE_ENTITY, "The gateway is not set up here";
    /// The gateway said a definite no to opening a payment page.
    GatewayRefused = "gateway_refused", UNPROCESSABLE_ENTITY, "The gateway refuses";
    /// No gateway takes this unit, and nothing says what it costs in one that they take.
    PayInUnsupported = "pay_in_unsupported", UNPROCESSABLE_ENTITY, "It cannot be paid in this unit";
    /// The quote that a checkout names is not its price any more.
    QuoteChanged = "quote_changed", UNPROCESSABLE_ENTITY, "The price has changed";
    /// Nobody can hold money for himself.
    BuyerIsSeller = "buyer_is_seller", UNPROCESSABLE_ENTITY, "Buyer and seller are the same";
    /// A rule of the deal that cannot be kept.
    PolicyInvalid = "policy_invalid", UNPROCESSABLE_ENTITY, "The policy cannot be kept";
    /// More of something than an escrow can hold.
    LimitReached = "limit_reached", UNPROCESSABLE_ENTITY, "A limit is reached";

    /// There are several milestones, and none is named.
    MilestoneRequired = "milestone_required", UNPROCESSABLE_ENTITY, "A milestone must be named";
    /// No milestone of that name.
    MilestoneUnknown = "milestone_unknown", UNPROCESSABLE_ENTITY, "The milestone is unknown";
    /// An operator must say why.
    ReasonRequired = "reason_required", UNPROCESSABLE_ENTITY, "A reason is needed";
    /// More than there is.
    AmountTooLarge = "amount_too_large", UNPROCESSABLE_ENTITY, "The amount is more than there is";
    /// Neither side has said until when a deadline is to be moved.
    UntilRequired = "until_required", UNPROCESSABLE_ENTITY, "A moment is needed";
    /// A deadline is moved later, within bounds.
    UntilOutOfBounds = "until_out_of_bounds", UNPROCESSABLE_ENTITY, "The moment is too early or too late";
    /// A standing wish for payouts that are too frequent or too far apart.
    ScheduleInvalid = "schedule_invalid", UNPROCESSABLE_ENTITY, "The schedule cannot be kept";
    /// What proves a payout by hand is missing.
    ReferenceRequired = "reference_required", UNPROCESSABLE_ENTITY, "A reference is needed";
    /// The payout cannot be tied to the payment of that escrow.
    EscrowUnsuitable = "escrow_unsuitable", UNPROCESSABLE_ENTITY, "Not for this escrow";
    /// An operator on a payout of their own, or one that they asked for.
    OwnPayout = "own_payout", FORBIDDEN, "Not on a payout of one's own";
    /// An arbiter or operator who is a party of the escrow.
    OwnEscrow = "own_escrow", FORBIDDEN, "Not on an escrow of one's own";

    /// The lifecycle has no such step from here.
    TransitionRefused = "transition_refused", CONFLICT, "Not possible in this state";
    /// A freeze stops everything that lets money out.
    Frozen = "frozen", CONFLICT, "The escrow is frozen";
    /// An operator must decide something first.
    InReview = "in_review", CONFLICT, "The escrow waits for an operator";
    /// Time alone will change it.
    TooEarly = "too_early", CONFLICT, "Too early";
    /// The window is over.
    TooLate = "too_late", CONFLICT, "Too late";
    /// Changes were requested as often as the rules allow.
    RoundsUsedUp = "rounds_used_up", CONFLICT, "No more changes can be requested";
    /// Disputed as often as the rules allow.
    DisputesUsedUp = "disputes_used_up", CONFLICT, "No more disputes can be opened";
    /// The other side has made no offer that could be accepted.
    NothingProposed = "nothing_proposed", CONFLICT, "There is no offer";
    /// The offer that was named is not the one that counts now.
    ProposalReplaced = "proposal_replaced", CONFLICT, "The offer no longer counts";
    /// An offer is for the other side to accept.
    OwnProposal = "own_proposal", CONFLICT, "The offer is one's own";
    /// The other side has asked for nothing that could be agreed with.
    NothingAsked = "nothing_asked", CONFLICT, "Nothing was asked for";
    /// It can be done without the other side's word.
    NoNeedToAsk = "no_need_to_ask", CONFLICT, "There is no need to ask";
    /// All extensions together are as long as the rules allow.
    ExtensionsUsedUp = "extensions_used_up", CONFLICT, "The deadline cannot be moved any more";
    /// The wallet has less than is to be taken out of it.
    InsufficientFunds = "insufficient_funds", CONFLICT, "There is not enough in the wallet";
    /// Nothing leaves the wallet until a break in its books is explained.
    WalletOnHold = "wallet_on_hold", CONFLICT, "The wallet is on hold";
    /// Less than is ever paid out.
    BelowMinimum = "below_minimum", CONFLICT, "The payout is below the minimum";
    /// The gateway cannot pay this seller (yet); the detail says what the seller has to do.
    SellerNotReady = "seller_not_ready", CONFLICT, "The seller cannot be paid yet";
    /// Nothing waits for an operator's decision.
    NothingToResolve = "nothing_to_resolve", CONFLICT, "Nothing to decide";
    /// No freeze to be ended.
    NotFrozen = "not_frozen", CONFLICT, "Not frozen";
    /// The version in `If-Match` is not the one that stands there.
    VersionMismatch = "version_mismatch", PRECONDITION_FAILED, "The version has moved";

    /// A webhook whose signature is wrong, stale or missing.
    SignatureInvalid = "signature_invalid", BAD_REQUEST, "The signature is not valid";

    /// Others kept changing the same thing, more often than we try.
    Contended = "contended", SERVICE_UNAVAILABLE, "Too many changes at once";
    /// The gateway does not answer; the same request later carries on.
    GatewayUnavailable = "gateway_unavailable", SERVICE_UNAVAILABLE, "The gateway is not available";
    /// Something that we need does not answer; the same request later carries on.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Not available just now";
    /// A defect of ours, or stored data that cannot be what it must be.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong";
}
