//! Status codes of OPC UA (OPC 10000-4, clause 7.38): what they mean for people, and for a session.

use opcua::types::{Error, StatusCode};
use weir_connect::ErrorKind;

/// Why a request, or the session, failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) cause: String,
    /// The protocol's own code, where that is what failed.
    pub(crate) status: Option<StatusCode>,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), status: None }
    }

    /// A failure of a whole request.
    pub(crate) fn of(doing: &str, error: &Error) -> Self {
        Self::of_status(doing, error.status())
    }

    pub(crate) fn of_status(doing: &str, status: StatusCode) -> Self {
        let cause = format!("{doing}: {}", told(status));
        Self { kind: kind(status), cause, status: Some(status) }
    }

    /// The same failure with more said about it.
    pub(crate) fn with(self, more: &str) -> Self {
        Self { cause: format!("{}; {more}", self.cause), ..self }
    }
}

/// A status code without its info bits.
pub(crate) fn plain(status: StatusCode) -> StatusCode {
    StatusCode::from(status.bits() & 0xFFFF_0000)
}

/// What a failed request says of the session.
pub(crate) fn kind(status: StatusCode) -> ErrorKind {
    match plain(status) {
        StatusCode::BadTimeout | StatusCode::BadRequestTimeout => ErrorKind::Timeout,
        StatusCode::BadConnectionClosed
        | StatusCode::BadConnectionRejected
        | StatusCode::BadCommunicationError
        | StatusCode::BadNotConnected
        | StatusCode::BadNoCommunication
        | StatusCode::BadServerNotConnected
        | StatusCode::BadSecureChannelClosed
        | StatusCode::BadSecureChannelIdInvalid
        | StatusCode::BadSecureChannelTokenUnknown
        | StatusCode::BadSessionClosed
        | StatusCode::BadSessionIdInvalid
        | StatusCode::BadSessionNotActivated
        | StatusCode::BadServerHalted
        | StatusCode::BadShutdown
        | StatusCode::BadNoSubscription
        | StatusCode::BadSubscriptionIdInvalid => ErrorKind::Disconnected,
        StatusCode::BadDecodingError
        | StatusCode::BadEncodingError
        | StatusCode::BadEncodingLimitsExceeded
        | StatusCode::BadUnknownResponse
        | StatusCode::BadUnexpectedError
        | StatusCode::BadTcpMessageTooLarge
        | StatusCode::BadTcpMessageTypeInvalid
        | StatusCode::BadTcpInternalError
        | StatusCode::BadProtocolVersionUnsupported
        | StatusCode::BadSequenceNumberInvalid => ErrorKind::Protocol,
        _ => ErrorKind::Rejected,
    }
}

/// A status code's name, number, and what to do about it.
pub(crate) fn told(status: StatusCode) -> String {
    let number = format!("{status} (0x{:08X})", status.bits());
    match remedy(plain(status)) {
        "" => number,
        remedy => format!("{number}: {remedy}"),
    }
}

fn remedy(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BadNodeIdUnknown => {
            "the server has no such node; its program may have changed: browse for it again"
        }
        StatusCode::BadNodeIdInvalid => {
            "the server does not know this node, or cannot read its identifier: browse for it again"
        }
        StatusCode::BadAttributeIdInvalid => {
            "this node has no such attribute; only variables have values"
        }
        StatusCode::BadIndexRangeInvalid => {
            "an index is a number such as 3, a range such as 0:9, or several with commas"
        }
        StatusCode::BadIndexRangeNoData => "the array has no such element; check the index",
        StatusCode::BadUserAccessDenied => {
            "the user of this connection may not do this; give it the right on the server or use another user"
        }
        StatusCode::BadNotReadable => "the server does not let this be read",
        StatusCode::BadNotWritable => "the server does not let this be written",
        StatusCode::BadWriteNotSupported => {
            "the server does not write this combination; write the whole value without an index"
        }
        StatusCode::BadTypeMismatch => "the value is not of the node's data type",
        StatusCode::BadOutOfRange => "the value is outside of what the node takes",
        StatusCode::BadTooManyMonitoredItems => {
            "the server watches no more values; it is read at its interval instead"
        }
        StatusCode::BadTooManySubscriptions => {
            "the server has no subscription left; close other clients"
        }
        StatusCode::BadTooManySessions => {
            "the server has no session left; close other clients or raise its limit"
        }
        StatusCode::BadFilterNotAllowed
        | StatusCode::BadMonitoredItemFilterUnsupported
        | StatusCode::BadMonitoredItemFilterInvalid
        | StatusCode::BadDeadbandFilterInvalid => {
            "the server takes no such deadband here: a percentage needs a number with an EURange; use an absolute one or none"
        }
        StatusCode::BadIdentityTokenRejected | StatusCode::BadIdentityTokenInvalid => {
            "the server does not accept this user; check user name, password or user certificate"
        }
        StatusCode::BadSecurityChecksFailed
        | StatusCode::BadCertificateUntrusted
        | StatusCode::BadCertificateInvalid
        | StatusCode::BadCertificateUseNotAllowed
        | StatusCode::BadCertificateUriInvalid => {
            "one side does not accept the other's certificate"
        }
        StatusCode::BadCertificateTimeInvalid => {
            "a certificate is not valid now; check both clocks"
        }
        StatusCode::BadSecurityPolicyRejected | StatusCode::BadSecurityModeRejected => {
            "the server does not offer this security policy or mode; search its endpoints"
        }
        StatusCode::BadNonceInvalid => "the server's handshake is not valid; update its firmware",
        StatusCode::BadWaitingForInitialData => "the server itself waits for a first value",
        StatusCode::BadNotConnected
        | StatusCode::BadNoCommunication
        | StatusCode::BadCommunicationError => {
            "the connection is lost, or the server has lost the device behind it"
        }
        StatusCode::BadSensorFailure => "the server says that the sensor has failed",
        StatusCode::BadDeviceFailure => "the server says that the device has failed",
        StatusCode::BadOutOfService => "the source is switched off",
        StatusCode::BadConfigurationError => {
            "the server's own configuration of this value is wrong"
        }
        StatusCode::BadTimeout => "no answer in time; check the network, or allow more time",
        StatusCode::BadServerHalted => "the server is stopped",
        StatusCode::BadMethodInvalid => "this is not a method of that object; browse for it again",
        StatusCode::BadArgumentsMissing => "the method takes more arguments",
        StatusCode::BadTooManyArguments => "the method takes fewer arguments",
        StatusCode::BadInvalidArgument => "the method does not take one of the arguments",
        StatusCode::BadNotExecutable => "the method cannot be called now",
        StatusCode::BadHistoryOperationUnsupported | StatusCode::BadHistoryOperationInvalid => {
            "the server keeps no history of this node"
        }
        StatusCode::BadResponseTooLarge | StatusCode::BadEncodingLimitsExceeded => {
            "the value is too large for one message; give the point an index range"
        }
        StatusCode::BadServiceUnsupported
        | StatusCode::BadNotSupported
        | StatusCode::BadNotImplemented => "the server does not do this",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_code_and_what_to_do() {
        let text = told(StatusCode::BadNodeIdUnknown);
        assert!(
            text.starts_with("BadNodeIdUnknown (0x80340000): the server has no such node"),
            "{text}"
        );
        assert!(told(StatusCode::from(0x8FFF_0000)).contains("0x8FFF0000"));
        let overflow = StatusCode::from(0x8034_0480);
        assert!(told(overflow).contains("no such node"));
        assert_eq!(kind(StatusCode::BadTimeout), ErrorKind::Timeout);
        assert_eq!(kind(StatusCode::BadSessionIdInvalid), ErrorKind::Disconnected);
        assert_eq!(kind(StatusCode::BadNodeIdUnknown), ErrorKind::Rejected);
    }

    proptest::proptest! {
        #[test]
        fn any_code_is_told(bits in proptest::num::u32::ANY) {
            let _ = (told(StatusCode::from(bits)), kind(StatusCode::from(bits)));
        }
    }
}
