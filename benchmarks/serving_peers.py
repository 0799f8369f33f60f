"""What `benchmarks.serving` measures beside the service: an empty endpoint, scikit-learn behind FastAPI, three servers.

`python -m benchmarks.serving_peers WHAT PORT [FILE]` serves `empty`, `sklearn` or `sklearn-async`;
`python -m benchmarks.serving_peers one-by-one serve ...` is `disposisi serve ...` with a commit for each complaint.
MLServer, BentoML and LitServe get virtual environments of their own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

ENVIRONMENTS = Path("/tmp/peers-serving")


class Complaint(BaseModel):
    """A complaint, as the small applications read it."""

    text: str
    region: str = ""


class Complaints(BaseModel):
    """The body that the small applications read."""

    complaints: list[Complaint]


@dataclass(frozen=True)
class Peer:
    """A server that others have written: what to install, its files, its command, and how it is asked."""

    name: str
    requirements: tuple[str, ...]
    files: dict[str, str]
    command: tuple[str, ...]
    path: str
    body: Callable[[str], Any]


_BENTOML = """
import bentoml, joblib

@bentoml.service(workers=1)
class Classify:
    def __init__(self):
        self.pipeline = joblib.load("{pipeline}")

    @bentoml.api
    def classify(self, text: str) -> dict:
        return {{"sector": str(self.pipeline.predict([text])[0])}}
"""
_LITSERVE = """
import sys, joblib, litserve

class Classify(litserve.LitAPI):
    def setup(self, device):
        self.pipeline = joblib.load("{pipeline}")

    def decode_request(self, request):
        return request["text"]

    def predict(self, texts):
        return self.pipeline.predict(texts)

    def encode_response(self, sector):
        return {{"sector": str(sector)}}

if __name__ == "__main__":
    api = Classify(max_batch_size=16, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    quiet = dict(generate_client_file=False, log_level="error")
    server.run(port=int(sys.argv[1]), host="127.0.0.1", num_api_servers=1, **quiet)
"""
_MLSERVER = """
from typing import List
import joblib
from mlserver import MLModel
from mlserver.codecs import decode_args

class Classify(MLModel):
    async def load(self) -> bool:
        self._pipeline = joblib.load("{pipeline}")
        return True

    @decode_args
    async def predict(self, text: List[str]) -> List[str]:
        return [str(sector) for sector in self._pipeline.predict(text)]
"""
# With a worker process of its own, which is the default, MLServer would only lose time on the one core.
_MLSERVER_SETTINGS = """{{"debug": false, "host": "127.0.0.1", "http_port": {port}, "grpc_port": {port1},
 "metrics_port": {port2}, "parallel_workers": 0}}"""


def _inference(text: str) -> dict[str, Any]:
    told = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text], "parameters": {"content_type": "str"}}
    return {"inputs": [told]}


PEERS = (
    Peer(
        "MLServer",
        ("mlserver", "uvloop<0.22"),
        {
            "settings.json": _MLSERVER_SETTINGS,
            "model-settings.json": '{{"name": "classify", "implementation": "classify.Classify"}}',
            "classify.py": _MLSERVER,
        },
        ("bin/mlserver", "start", "."),
        "/v2/models/classify/infer",
        _inference,
    ),
    Peer(
        "BentoML",
        ("bentoml",),
        {"service.py": _BENTOML},
        ("bin/bentoml", "serve", "service:Classify", "--host", "127.0.0.1", "--port", "{port}"),
        "/classify",
        lambda text: {"text": text},
    ),
    Peer(
        "LitServe, batches of 16",
        ("litserve",),
        {"serve.py": _LITSERVE},
        ("bin/python", "serve.py", "{port}"),
        "/predict",
        lambda text: {"text": text},
    ),
)


def installed(peer: Peer) -> Path | None:
    """The peer's own virtual environment, made if it is missing; None if it can't be made."""
    from sklearn import __version__ as sklearn_version

    folder = ENVIRONMENTS / peer.name.split(",")[0].lower()
    if (folder / "ready").exists():
        return folder
    pip = [str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        wanted = [*peer.requirements, f"scikit-learn=={sklearn_version}", "joblib"]
        subprocess.run([*pip, *wanted], check=True, capture_output=True, timeout=900)
    except (subprocess.SubprocessError, OSError):
        return None
    (folder / "ready").touch()
    return folder


def write_files(peer: Peer, folder: Path, pipeline: Path, port: int) -> None:
    """Write the peer's files, with where the pipeline is and the port to listen on."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in peer.files.items():
        (folder / name).write_text(text.format(pipeline=pipeline, port=port, port1=port + 1, port2=port + 2))


def save_pipeline(texts: Sequence[str], sectors: Sequence[str], features: int, file: Path) -> int:
    """Fit words and in-word characters with a linear SVM, as many features as `features` if there are; how many."""
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, max_features=features // 2)
    left = features - len(words.fit(texts).vocabulary_)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2, max_features=left)
    pipeline = make_pipeline(make_union(words, chars), LinearSVC(C=0.3, class_weight="balanced"))
    pipeline.fit(texts, sectors)
    joblib.dump(pipeline, file)
    return int(pipeline[-1].coef_.shape[1])


def _serve(what: str, port: int, file: str = "") -> None:
    """A small application, served as the service serves itself."""
    import gc

    import uvicorn
    from fastapi import FastAPI

    constant = {"model_version": "", "predictions": [{"sector": "transport", "probability": 0.5}]}
    app = FastAPI()
    if what == "empty":

        @app.post("/v1/predictions")
        async def answer(_new: Complaints) -> dict[str, Any]:
            return constant
    else:
        import joblib

        pipeline = joblib.load(file)

        def predict(new: Complaints) -> dict[str, Any]:
            scores = pipeline.decision_function([each.text for each in new.complaints])
            best = scores.argmax(axis=1)
            found = [
                {"sector": str(pipeline.classes_[i]), "score": float(row[i])}
                for i, row in zip(best, scores, strict=True)
            ]
            return {"model_version": "", "predictions": found}

        async def predict_async(new: Complaints) -> dict[str, Any]:
            return predict(new)

        app.post("/v1/predictions")(predict_async if what == "sklearn-async" else predict)
    gc.freeze()
    settings: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False, "ws": "none"}
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", **settings)


def _serve_one_by_one() -> None:
    """`disposisi`, whose writer commits each complaint by itself."""
    import disposisi
    import serving.writer

    serving.writer.MOST_TOGETHER = 1
    sys.argv = ["disposisi", *sys.argv[2:]]
    disposisi.main()


if __name__ == "__main__":
    if sys.argv[1] == "one-by-one":
        _serve_one_by_one()
    else:
        _serve(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
