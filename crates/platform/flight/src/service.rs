//! The calls of the gRPC service.

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, Command,
    DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, Criteria,
    Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse, PollInfo,
    PutResult, SchemaResult, Ticket,
};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use prost::Message;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status, Streaming};

use crate::commands::{self, command, ipc};
use crate::host::Host;
use crate::parameters;
use crate::running::Running;
use crate::server::host;
use crate::statement::{Held, Statement};

/// What the server says to whatever would change something.
const READ_ONLY: &str = "statements read here and never change anything; samples are written through the HTTP \
     interface, MQTT or a device";

/// What the server says to transactions.
const NO_TRANSACTIONS: &str =
    "there are no transactions: statements read and never change anything";

/// The actions that there are, each with what it does.
const ACTIONS: [(&str, &str); 4] = [
    ("CreatePreparedStatement", "Plans a statement, to be run with parameters"),
    ("ClosePreparedStatement", "Forgets a prepared statement"),
    ("CancelFlightInfo", "Ends a statement that runs"),
    ("CancelQuery", "Ends a statement that runs, as older clients ask for it"),
];

/// Base64 with or without its padding: Go's driver leaves it out.
const PLAIN: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The gRPC service.
#[derive(Clone)]
pub(crate) struct Flight {
    pub(crate) running: Running,
}

type Answers<T> = BoxStream<'static, Result<T, Status>>;

#[tonic::async_trait]
impl FlightService for Flight {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = Answers<FlightData>;

    /// Name and password, as `authorization: Basic …`, for a token. What the messages of the call hold
    /// is not looked at.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let host = host(&request)?;
        let (user, password) = basic(request.metadata().get("authorization"))?;
        let token = host.sign_in(user, password).await?;
        let answer =
            HandshakeResponse { payload: Bytes::from(token.clone()), ..Default::default() };
        let mut response = Response::new(one(answer));
        let mut bearer = MetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Status::internal("a token cannot be sent"))?;
        bearer.set_sensitive(true);
        response.metadata_mut().insert("authorization", bearer);
        Ok(response)
    }

    async fn list_flights(
        &self,
        _: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(Status::unimplemented("nothing is listed here; ask with statements"))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let host = host(&request)?;
        let descriptor = request.into_inner();
        commands::info(&*host, descriptor).await.map(Response::new)
    }

    async fn poll_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented("statements are not polled here; call GetFlightInfo and DoGet"))
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        let host = host(&request)?;
        let command = command(&request.get_ref().cmd)?;
        let schema = commands::columns(&*host, command).await?;
        Ok(Response::new(SchemaResult { schema: ipc(&schema)? }))
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        let host = host(&request)?;
        let command = command(&request.get_ref().ticket)?;
        commands::rows(host, &self.running, command).await.map(Response::new)
    }

    /// Binds parameters; whatever would write is refused.
    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        host(&request)?;
        let mut messages = request.into_inner();
        let first = messages.message().await?;
        let first = first.ok_or_else(|| Status::invalid_argument("the call brought no message"))?;
        let told = first.flight_descriptor.as_ref().map(|descriptor| descriptor.cmd.clone());
        let Command::CommandPreparedStatementQuery(query) = command(&told.unwrap_or_default())?
        else {
            return Err(Status::unimplemented(READ_ONLY));
        };
        let statement = Held::read(&query.prepared_statement_handle)?.statement();
        let messages = stream::iter([Ok(first)]).chain(messages);
        let parameters = parameters::read(messages).await?;
        let bound = Held::prepared(Statement { parameters, ..statement });
        let handle = bound.bounded_bytes()?;
        let result = DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) };
        let app_metadata = Bytes::from(result.encode_to_vec());
        Ok(Response::new(one(PutResult { app_metadata })))
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("nothing is exchanged here; call GetFlightInfo and DoGet"))
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        let host = host(&request)?;
        let Action { r#type: name, body } = request.into_inner();
        let answer = match name.as_str() {
            "CreatePreparedStatement" => Some(prepare(&host, &body).await?),
            "ClosePreparedStatement" => {
                let _: ActionClosePreparedStatementRequest = unpacked(&body)?;
                None
            }
            "CancelFlightInfo" => Some(self.cancel_info(&*host, &body)?),
            "CancelQuery" => Some(self.cancel_query(&*host, &body)?),
            "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => {
                return Err(Status::unimplemented(NO_TRANSACTIONS));
            }
            _ => return Err(Status::unimplemented("there is no such action here")),
        };
        let answers = answer.map(|body| Ok(arrow_flight::Result { body: body.into() }));
        Ok(Response::new(stream::iter(answers).boxed()))
    }

    async fn list_actions(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let actions = ACTIONS.map(|(name, what)| {
            Ok(ActionType { r#type: name.to_owned(), description: what.to_owned() })
        });
        Ok(Response::new(stream::iter(actions).boxed()))
    }
}

impl Flight {
    fn cancel_info(&self, host: &dyn Host, body: &[u8]) -> Result<Vec<u8>, Status> {
        let request = CancelFlightInfoRequest::decode(body)
            .map_err(|_| Status::invalid_argument("this is no CancelFlightInfoRequest"))?;
        self.cancel(host, request.info.unwrap_or_default())?;
        let status = CancelStatus::Cancelled as i32;
        Ok(CancelFlightInfoResult { status }.encode_to_vec())
    }

    fn cancel_query(&self, host: &dyn Host, body: &[u8]) -> Result<Vec<u8>, Status> {
        let request: ActionCancelQueryRequest = unpacked(body)?;
        let info = FlightInfo::decode(request.info)
            .map_err(|_| Status::invalid_argument("this is no FlightInfo"))?;
        self.cancel(host, info)?;
        let result = CancelStatus::Cancelled as i32;
        Ok(ActionCancelQueryResult { result }.as_any().encode_to_vec())
    }

    /// Ends the caller's statement that a FlightInfo is of.
    fn cancel(&self, host: &dyn Host, info: FlightInfo) -> Result<(), Status> {
        let ticket = info.endpoint.into_iter().find_map(|endpoint| endpoint.ticket);
        let Command::TicketStatementQuery(ticket) = command(&ticket.unwrap_or_default().ticket)?
        else {
            return Err(Status::invalid_argument("this is not the FlightInfo of a statement"));
        };
        let held = Held::read(&ticket.statement_handle)?;
        if self.running.cancel(host.caller(), held.name) {
            return Ok(());
        }
        Err(Status::not_found("no such statement of yours runs; it may have ended"))
    }
}

/// Plans a statement and gives it to whoever asked, to be kept there.
async fn prepare(host: &Arc<dyn Host>, body: &[u8]) -> Result<Vec<u8>, Status> {
    let ActionCreatePreparedStatementRequest { query, transaction_id } = unpacked(body)?;
    no_transaction(transaction_id.as_ref())?;
    let statement = Statement { sql: query, parameters: Vec::new() };
    let described = host.describe(statement.clone()).await?;
    let result = ActionCreatePreparedStatementResult {
        prepared_statement_handle: Held::prepared(statement).bytes(),
        dataset_schema: ipc(&described.columns)?,
        parameter_schema: ipc(&described.parameters)?,
    };
    Ok(result.as_any().encode_to_vec())
}

/// Refuses a statement in a transaction.
pub(crate) fn no_transaction(id: Option<&Bytes>) -> Result<(), Status> {
    match id {
        Some(id) if !id.is_empty() => Err(Status::unimplemented(NO_TRANSACTIONS)),
        _ => Ok(()),
    }
}

fn unpacked<M: ProstMessageExt>(body: &[u8]) -> Result<M, Status> {
    let any = Any::decode(body).ok();
    let message = any.and_then(|any| any.unpack::<M>().ok().flatten());
    message.ok_or_else(|| Status::invalid_argument("the action's body is not what it should be"))
}

fn one<T: Send + 'static>(answer: T) -> Answers<T> {
    async move { Ok(answer) }.into_stream().boxed()
}

/// Name and password of `Basic …` (RFC 7617). The name has no colon.
fn basic(value: Option<&MetadataValue<Ascii>>) -> Result<(String, String), Status> {
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let decoded = text.split_once(' ').and_then(|(scheme, rest)| {
        let is_basic = scheme.eq_ignore_ascii_case("basic");
        let bytes = is_basic.then(|| PLAIN.decode(rest.trim()).ok()).flatten()?;
        let (user, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    });
    decoded.ok_or_else(|| {
        Status::unauthenticated(
            "sign in with a name and a password, or send a token as \"authorization: Bearer TOKEN\"",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_with_padding_and_without() {
        let read = |text: &str| {
            let value: MetadataValue<Ascii> = text.parse().unwrap();
            basic(Some(&value)).ok()
        };
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(read("Basic bGk6YTpi"), pair("li", "a:b"));
        assert_eq!(read("basic bGk6YQ=="), pair("li", "a"));
        assert_eq!(read("Basic bGk6YQ"), pair("li", "a"));
        assert_eq!(read("Basic bGk6"), pair("li", ""));
        for wrong in ["Basic", "Basic !", "Bearer bGk6YQ", "Basic bGk", "Basic /w"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(basic(None).is_err());
    }
}
