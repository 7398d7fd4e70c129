{{- define "fleetspan.selector" -}}
app.kubernetes.io/name: fleetspan
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "fleetspan.labels" -}}
{{ include "fleetspan.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
