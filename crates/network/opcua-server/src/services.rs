//! The services of a session (OPC 10000-4, clause 5).

mod browse;
mod history;
mod items;
pub(crate) mod read;
mod subscriptions;
mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use opcua::core::{RequestMessage, ResponseMessage};
use opcua::types::{
    BinaryEncodable, CancelResponse, RegisterNodesResponse, ResponseHeader, StatusCode,
    UnregisterNodesResponse,
};
use weir_model::Identifier;

use crate::connection::Connection;
use crate::plant::{Node, Principal};
use crate::session::Session;
use crate::shared::Shared;
use crate::space::Target;

/// Who asks, and for whom.
pub(crate) struct Ask<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) session: &'a Arc<Session>,
    pub(crate) principal: Principal,
    pub(crate) locales: Arc<[String]>,
    /// When the client stops waiting, or the server working.
    pub(crate) deadline: Instant,
    /// References of the standard's nodes that were looked at.
    looked: AtomicUsize,
}

/// References of the standard's nodes that are looked at for one request: many times what it has
/// altogether. They are in memory, so that nothing else would hold a client back.
const LOOKED_MAX: usize = 1_000_000;

/// Bytes of an answer that is being made.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn new(shared: &Shared) -> Self {
        Self(shared.limits.message_bytes_max)
    }

    /// Takes a part's bytes.
    ///
    /// # Errors
    /// `BadResponseTooLarge`.
    pub(crate) fn take(
        &mut self,
        part: &impl BinaryEncodable,
        shared: &Shared,
    ) -> Result<(), StatusCode> {
        let bytes = part.byte_len(&shared.context.context());
        self.0 = self.0.checked_sub(bytes).ok_or(StatusCode::BadResponseTooLarge)?;
        Ok(())
    }
}

/// Works on a request of an active session.
pub(crate) async fn serve(
    connection: &Arc<Connection>,
    request: RequestMessage,
    channel: u32,
    deadline: Instant,
) -> Result<ResponseMessage, StatusCode> {
    let shared = &connection.shared;
    let header = request.request_header();
    let session =
        shared.sessions.get(&header.authentication_token).ok_or(StatusCode::BadSessionIdInvalid)?;
    let (principal, locales) = session.principal(channel, Instant::now())?;
    let looked = AtomicUsize::new(0);
    let ask = Ask { shared, session: &session, principal, locales, deadline, looked };
    let answer = ask.answer(request).await?;
    // Rights may have been taken away while the answer was made.
    if session.has_ended() { Err(StatusCode::BadSessionClosed) } else { Ok(answer) }
}

impl Ask<'_> {
    async fn answer(&self, request: RequestMessage) -> Result<ResponseMessage, StatusCode> {
        use RequestMessage as R;
        match request {
            R::Read(request) => read::read(self, *request).await,
            R::Write(request) => write::write(self, *request).await,
            R::Browse(request) => browse::browse(self, *request).await,
            R::BrowseNext(request) => browse::browse_next(self, *request).await,
            R::TranslateBrowsePathsToNodeIds(request) => browse::translate(self, *request).await,
            R::HistoryRead(request) => history::read(self, *request).await,
            R::CreateSubscription(request) => subscriptions::create(self, &request),
            R::ModifySubscription(request) => subscriptions::modify(self, &request),
            R::SetPublishingMode(request) => subscriptions::set_publishing(self, &request),
            R::DeleteSubscriptions(request) => subscriptions::delete(self, &request),
            R::TransferSubscriptions(request) => subscriptions::transfer(self, &request),
            R::Republish(request) => subscriptions::republish(self, &request),
            R::CreateMonitoredItems(request) => items::create(self, *request).await,
            R::ModifyMonitoredItems(request) => items::modify(self, *request).await,
            R::SetMonitoringMode(request) => items::set_mode(self, &request).await,
            R::SetTriggering(request) => items::set_triggering(self, &request),
            R::DeleteMonitoredItems(request) => items::delete(self, &request),
            // Names are looked up in memory: nothing is gained by registering them.
            R::RegisterNodes(request) => {
                let nodes = self.bounded(request.nodes_to_register)?;
                let response_header = ResponseHeader::new_good(&request.request_header);
                let registered_node_ids = Some(nodes);
                Ok(RegisterNodesResponse { response_header, registered_node_ids }.into())
            }
            R::UnregisterNodes(request) => {
                self.bounded(request.nodes_to_unregister)?;
                let response_header = ResponseHeader::new_good(&request.request_header);
                Ok(UnregisterNodesResponse { response_header }.into())
            }
            // Requests are short: none is cancelled.
            R::Cancel(request) => {
                let response_header = ResponseHeader::new_good(&request.request_header);
                Ok(CancelResponse { response_header, cancel_count: 0 }.into())
            }
            _ => Err(StatusCode::BadServiceUnsupported),
        }
    }

    /// Counts references that are looked at.
    ///
    /// # Errors
    /// `BadTooManyOperations` once there were too many.
    fn look(&self, references: usize) -> Result<(), StatusCode> {
        let before = self.looked.fetch_add(references, Ordering::Relaxed);
        if before >= LOOKED_MAX { Err(StatusCode::BadTooManyOperations) } else { Ok(()) }
    }

    /// The operations of a request: at least one, and not too many.
    fn bounded<T>(&self, operations: Option<Vec<T>>) -> Result<Vec<T>, StatusCode> {
        bounded(operations, self.shared.limits.nodes_per_request_max)
    }

    /// Looks up the assets and tags that are named.
    async fn nodes<'t>(
        &self,
        targets: impl Iterator<Item = &'t Target>,
    ) -> Result<HashMap<Identifier, Node>, StatusCode> {
        nodes(self.shared, self.deadline, &self.principal, targets).await
    }
}

fn bounded<T>(operations: Option<Vec<T>>, max: usize) -> Result<Vec<T>, StatusCode> {
    match operations {
        Some(operations) if operations.len() > max => Err(StatusCode::BadTooManyOperations),
        Some(operations) if !operations.is_empty() => Ok(operations),
        _ => Err(StatusCode::BadNothingToDo),
    }
}

async fn nodes<'t>(
    shared: &Shared,
    deadline: Instant,
    principal: &Principal,
    targets: impl Iterator<Item = &'t Target>,
) -> Result<HashMap<Identifier, Node>, StatusCode> {
    let mut ids: Vec<Identifier> = targets.filter_map(Target::identifier).cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = shared.plant.nodes(deadline, principal, &ids).await?;
    Ok(ids.into_iter().zip(found).filter_map(|(id, node)| Some((id, node?))).collect())
}
