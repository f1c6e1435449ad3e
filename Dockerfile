# docker build -t pith .                             CPU
# docker build -t pith:cuda --build-arg DEVICE=cuda .  CUDA; run with `--gpus all`
# docker run -p 8080:8080 -v pith:/var/lib/pith pith

FROM python:3.11-slim-bookworm AS build
ARG DEVICE=cpu
WORKDIR /build
RUN python -m venv /opt/pith
ENV PATH=/opt/pith/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Dependencies before the source: their layer is as stable as the lock.
COPY requirements/${DEVICE}.txt requirements/
RUN case "$DEVICE" in \
        cpu) index="--extra-index-url https://download.pytorch.org/whl/cpu" ;; \
        cuda) index="" ;; \
        *) echo "DEVICE is \"$DEVICE\": must be cpu or cuda" >&2; exit 1 ;; \
    esac && pip install --require-hashes $index -r "requirements/$DEVICE.txt"

COPY pyproject.toml README.md LICENSE NOTICE ./
COPY compressor compressor
COPY policies policies
COPY gateway gateway
RUN pip install --no-build-isolation --no-deps .

# The CUDA build brings its own libraries in its wheels; the driver comes from the host. So both run on this.
FROM python:3.11-slim-bookworm AS runtime
RUN useradd --system --uid 10001 --home-dir /var/lib/pith --create-home pith
COPY --from=build /opt/pith /opt/pith
ENV PATH=/opt/pith/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/var/lib/pith/models \
    PITH_LISTEN__HOST=0.0.0.0

# The ledger and, unless PITH_SECRET is given, the secret beside it.
WORKDIR /var/lib/pith
VOLUME /var/lib/pith
USER 10001
EXPOSE 8080

HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/pith/healthz', timeout=2)"]
# Drains on SIGTERM: what is queued for the ledger is written before it ends.
STOPSIGNAL SIGTERM
ENTRYPOINT ["pith"]
CMD ["serve"]
