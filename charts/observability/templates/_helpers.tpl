{{- define "observability.labels" -}}
app.kubernetes.io/name: otel-collector
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "observability.config" -}}
{{- with .Values.collector -}}
{{ $.Files.Get "files/collector.yaml" | replace "DECISION_WAIT" .decisionWait | replace "MAX_TRACES" (toString (int .maxTraces)) | replace "SLOWER_THAN_MS" (trimSuffix "ms" .slowerThan) | replace "KEEP_PERCENT" (toString .keepPercent) | replace "ENDPOINT" .endpoint }}
{{- end }}
{{- end }}
