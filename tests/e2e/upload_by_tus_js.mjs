// One upload by tus-js-client with the options that the first argument (JSON) names; prints what became of it as JSON.
import { createReadStream, readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { Upload } from 'tus-js-client'

const { path, streamed, ...options } = JSON.parse(process.argv[2])
const told = { requests: [], headers: {}, error: '' }
const end = (error) => {
  told.error = error ? String(error.message) : ''
  process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0))
}
// Through a pipe, where nobody can ask how long it is: of a file the client would, and announce more than it has.
const source = streamed ? createReadStream(path).pipe(new PassThrough()) : readFileSync(path)
const upload = new Upload(source, {
  ...options,
  onAfterResponse: (request, response) => {
    told.requests.push(`${request.getMethod()} ${response.getStatus()}`)
    for (const name of ['Transfer-URL', 'Transfer-Secret']) {
      if (response.getHeader(name)) told.headers[name] = response.getHeader(name)
    }
  },
  onSuccess: () => end(),
  onError: end,
})
upload.start()
