// The peer that `bench smoke` measures Spillway against: the official Node server with its file store, as it comes.
import { createServer } from 'node:http'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const [directory, port] = process.argv.slice(2)
const tus = new Server({ path: '/peer/files', datastore: new FileStore({ directory }) })
createServer(tus.handle.bind(tus)).listen(Number(port), '127.0.0.1')
