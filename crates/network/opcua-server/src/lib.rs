//! The OPC UA server.
