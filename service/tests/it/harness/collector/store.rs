use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::MetricsService;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceService;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use tonic::{Request, Response, Status};

use super::Received;

/// What has come so far. Over gRPC it is the service that the protocol's own crate makes.
#[derive(Clone, Default)]
pub(super) struct Store {
    spans: Arc<Mutex<Vec<Received>>>,
    metrics: Arc<Mutex<Vec<ResourceMetrics>>>,
}

impl Store {
    pub(super) fn keep_spans(&self, request: ExportTraceServiceRequest) {
        for spans in request.resource_spans {
            let resource = spans.resource.unwrap_or_default().attributes;
            let spans = spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let spans = spans.map(|span| Received { span, resource: resource.clone() });
            self.spans.lock().unwrap().extend(spans);
        }
    }

    /// In the place of what came before.
    pub(super) fn keep_metrics(&self, request: ExportMetricsServiceRequest) {
        *self.metrics.lock().unwrap() = request.resource_metrics;
    }

    pub(super) fn spans(&self) -> Vec<Received> {
        self.spans.lock().unwrap().clone()
    }

    pub(super) fn metrics(&self) -> Vec<ResourceMetrics> {
        self.metrics.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl TraceService for Store {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.keep_spans(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Store {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.keep_metrics(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
