# The service of `python -m zoo serve --api`, see docs/serving.md.
#
#     docker build -t recurrent-zoo .
#     docker run --read-only --tmpfs /tmp --cap-drop=ALL --security-opt=no-new-privileges \
#         -p 127.0.0.1:8000:8000 recurrent-zoo
#
# A wheel is built in the first image; the second one has the wheel and no sources.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir=/wheels .

FROM python:${PYTHON}-slim
COPY --from=build /wheels /wheels
RUN for wheel in /wheels/*.whl; do pip install --no-cache-dir "${wheel}[serve]"; done \
    && rm -r /wheels \
    && useradd --uid=10001 --no-create-home --shell=/usr/sbin/nologin zoo
USER 10001:10001
WORKDIR /tmp
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["python", "-m", "zoo", "serve", "--api", "--host=0.0.0.0", "--port=8000"]
CMD ["python_docs_lstm"]
