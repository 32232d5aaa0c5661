package names

// Headers between gateways. HTTP ignores their case.
const (
	// HeaderHost is whom the request is for, as <service>.<domain>.svc. The receiving gateway makes it the authority again.
	HeaderHost = "Kuscia-Host"
	// HeaderSource is the domain of the previous hop. It is only a claim until a token has proved it.
	HeaderSource = "Kuscia-Source"
	// HeaderToken proves the source: base64 of 32 bytes, or TokenNoop.
	HeaderToken = "Kuscia-Token"
	// TokenNoop stands in HeaderToken on routes that prove the source by other means. It proves nothing.
	TokenNoop = "noop"
	// HeaderOriginSource is the domain where a request began, across all hops. Access rules look at it.
	HeaderOriginSource = "Kuscia-Origin-Source"
	// HeaderInterConnProtocol is the protocol between the two gateways: kuscia or bfia.
	HeaderInterConnProtocol = "x-interconn-protocol"
	// HeaderHandshakeCluster tells the original's own gateway by which cluster a handshake leaves. It leaks to partners, so it arrives,
	// and must never choose anything here.
	HeaderHandshakeCluster = "Kuscia-Handshake-Cluster"
	// HeaderTokenRevision is the token revision that a heartbeat asks about, in decimal.
	HeaderTokenRevision = "Kuscia-Token-Revision"
	// HeaderJWT proves at registration that the lite holds the key of its certificate request.
	HeaderJWT = "jwt-token"
	// HeaderTransitFlag, if True, marks the second pass of a request through the gateway that holds a reverse tunnel.
	HeaderTransitFlag = "Kuscia-Transit-Flag"
	// HeaderTransitHash picks the gateway replica that holds a reverse tunnel, as <service>.<poller's domain>.svc.
	HeaderTransitHash = "Kuscia-Transit-Hash"
	// HeaderEncryptVersion is the revision of the token that a body is encrypted with, in decimal.
	HeaderEncryptVersion = "Kuscia-Encrypt-Version"
	// HeaderEncryptIV is the nonce of an encrypted body: base64 of 12 bytes.
	HeaderEncryptIV = "Kuscia-Encrypt-Iv"
	// HeaderErrorMessage says on replies of 400 and above which gateways the error came through. A lite that starts looks for it.
	HeaderErrorMessage = "Kuscia-Error-Message"
	// HeaderErrorMessageInternal carries the text for HeaderErrorMessage inside a gateway, and never leaves it.
	HeaderErrorMessageInternal = "Kuscia-Error-Message-Internal"
	// HeaderRecordBody, if True, asks the gateway to log bodies.
	HeaderRecordBody = "Kuscia-Record-Body"
	// HeaderSessionID keeps requests that share it at one endpoint of a service.
	HeaderSessionID = "Kuscia-Session-Id"
	// HeaderFullHost is the host of a request as it is inside a gateway, with the domain behind it: services are found by it whose clients say
	// their short name. It never leaves the gateway.
	HeaderFullHost = "x-entente-full-host"
)

// Headers of BFIA partners.
const (
	// HeaderPTPSourceInst is the institution that sends.
	HeaderPTPSourceInst = "x-ptp-source-inst-id"
	// HeaderPTPSourceNode is the domain that sends.
	HeaderPTPSourceNode = "x-ptp-source-node-id"
	// HeaderPTPTargetNode is the domain that the message is for.
	HeaderPTPTargetNode = "x-ptp-target-node-id"
	// HeaderPTPSession is the session of a message queue; requests that share it stay at one endpoint of the transport service.
	HeaderPTPSession = "x-ptp-session-id"
	// HeaderPTPTopic is the queue within the session.
	HeaderPTPTopic = "x-ptp-topic"
	// HeaderNodeID is the domain that calls a partner's scheduler.
	HeaderNodeID = "x-node-id"
	// HeaderTimestamp is when it called, in Unix seconds.
	HeaderTimestamp = "x-timestamp"
)

// Headers towards applications and clients.
const (
	// HeaderAccelBuffering on replies, with AccelBufferingOff, keeps proxies on the way from collecting a stream.
	HeaderAccelBuffering = "X-Accel-Buffering"
	// AccelBufferingOff is the value of HeaderAccelBuffering.
	AccelBufferingOff = "no"
	// HeaderTraceID is repeated from request to reply.
	HeaderTraceID = "x-b3-traceid"
	// HeaderSpanID is repeated from request to reply.
	HeaderSpanID = "x-b3-spanid"
	// HeaderAPIToken proves a client of KusciaAPI over HTTP.
	HeaderAPIToken = "Token"
	// MetadataAPIToken proves a client of KusciaAPI over gRPC.
	MetadataAPIToken = "token"
)
