"""A trained model as a file that other programs run, given away only with a certificate that it answers as before."""

import os

# Unless this is set before it starts, onnxruntime keeps an id of the machine and sends usage data to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
