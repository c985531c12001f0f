// An upload by tus-js-client as programs under Node use it: a file, retryDelays, a chunkSize. See order.py for what it is
// told and what it tells.
import { createReadStream } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { DefaultHttpStack, Upload } from 'tus-js-client'

const RETRY_DELAYS_MS = [0, 500, ...Array(120).fill(1000)]
const order = JSON.parse(process.argv[2])
const told = { urls: [], sent_bytes: 0, answers: {}, error: '' }

const note = (text) => console.error(`${new Date().toTimeString().slice(0, 8)} ${text}`)

const answered = (request, status, why = '') => {
  const kind = `${request.getMethod()} ${status}`
  told.answers[kind] = (told.answers[kind] ?? 0) + 1
  note(`${kind} ${why.trim().slice(0, 200)}`)
}

const end = (error) => {
  told.error = error ? String(error.message ?? error) : ''
  process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0))
}

// Counts what goes to the socket and lets it go as fast as the line. Heads are strings, bodies are buffers.
const onTheLine = (socket) => {
  const write = socket._write.bind(socket)
  socket._writev = null
  socket._write = (chunk, encoding, done) => {
    if (!Buffer.isBuffer(chunk)) return write(chunk, encoding, done)
    told.sent_bytes += chunk.length
    const line = order.line_bytes_per_second
    const wait = line ? (chunk.length / line) * 1000 : 0
    return write(chunk, encoding, (error) => (error || !wait ? done(error) : setTimeout(done, wait)))
  }
  return socket
}

const agent = new http.Agent({ keepAlive: true })
agent.createConnection = (options) => onTheLine(net.connect(options))

const upload = new Upload(createReadStream(order.path), {
  endpoint: order.endpoint,
  retryDelays: RETRY_DELAYS_MS,
  chunkSize: order.chunk_bytes ?? Infinity,
  metadata: { filename: order.name, transfer: order.transfer_secret },
  httpStack: new DefaultHttpStack({ agent }),
  onAfterResponse: (request, response) =>
    answered(request, response.getStatus(), response.getBody() || response.getHeader('Upload-Offset')),
  onShouldRetry: (error, attempt, options) => {
    const status = error.originalResponse ? error.originalResponse.getStatus() : 0
    if (!status) answered(error.originalRequest, 0, error.message)
    return status < 400 || status >= 500 || status === 409 || status === 423
  },
  onUploadUrlAvailable: () => {
    if (!told.urls.includes(upload.url)) told.urls.push(upload.url)
  },
  onSuccess: () => {
    if (!told.urls.includes(upload.url)) told.urls.push(upload.url)
    end()
  },
  onError: end,
})
upload.start()
