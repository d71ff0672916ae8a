//! One server: a gRPC service whose calls come with their host.

use std::convert::Infallible;
use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;
use tonic::{Request, Status};
use tower::ServiceExt;

use crate::host::Host;
use crate::running::Running;
use crate::service::Flight;

/// The name of the gRPC service: its calls are at `/SERVICE/METHOD`.
pub const SERVICE: &str = "arrow.flight.protocol.FlightService";

/// Largest message of a client, in bytes: a statement of the longest, and its parameters.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Answers the calls of Arrow Flight SQL. Cloning is cheap.
#[derive(Clone)]
pub struct Server(FlightServiceServer<Flight>);

/// The host of one call, on its way through the gRPC service.
#[derive(Clone)]
pub(crate) struct Called(pub(crate) Arc<dyn Host>);

impl Server {
    /// A server that runs nothing yet.
    pub fn new() -> Self {
        let service = FlightServiceServer::new(Flight { running: Running::default() });
        Self(service.max_decoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// Answers one call with the rights of its host. Dropping the answer's body ends what runs for it.
    pub async fn answer<B>(
        &self,
        mut call: http::Request<B>,
        host: Arc<dyn Host>,
    ) -> http::Response<tonic::body::Body>
    where
        B: http_body::Body + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        call.extensions_mut().insert(Called(host));
        let answer: Result<_, Infallible> = self.0.clone().oneshot(call).await;
        match answer {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

/// The host of a call.
pub(crate) fn host<T>(request: &Request<T>) -> Result<Arc<dyn Host>, Status> {
    let called = request.extensions().get::<Called>().map(|called| Arc::clone(&called.0));
    called.ok_or_else(|| Status::internal("a call came without its host"))
}
