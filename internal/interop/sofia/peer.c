/* A phone on sofia-sip's NUA: the stack of FreeSWITCH.
 *
 *   peer PORT INTERVAL MIN-SE no|local|remote UPDATE(0|1)
 *
 * It answers every call. Commands on standard input, one a line: "call URI",
 * "bye", "quit". Messages and events go to standard error. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct phone phone;
#define NUA_MAGIC_T phone
#define NUA_HMAGIC_T void
#define SU_ROOT_MAGIC_T phone
#include <sofia-sip/nua.h>
#include <sofia-sip/nua_tag.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/soa_tag.h>
#include <sofia-sip/su_tagarg.h>
#include <sofia-sip/tport_tag.h>

struct phone {
	su_root_t *root;
	nua_t *nua;
	nua_handle_t *call;
	char line[256];
	size_t length;
};

static void on_event(nua_event_t event, int status, char const *phrase, nua_t *nua, phone *p,
                     nua_handle_t *nh, void *magic, sip_t const *sip, tagi_t tags[])
{
	int state = 0;

	fprintf(stderr, "# %s %d %s\n", nua_event_name(event), status, phrase ? phrase : "");
	switch (event) {
	case nua_i_invite:
		p->call = nh;
		break;
	case nua_i_state:
		tl_gets(tags, NUTAG_CALLSTATE_REF(state), TAG_END());
		if (state == nua_callstate_terminated) {
			if (p->call == nh)
				p->call = NULL;
			nua_handle_destroy(nh);
		}
		break;
	case nua_r_shutdown:
		if (status >= 200)
			su_root_break(p->root);
		break;
	default:
		break;
	}
}

static void obey(phone *p, char *line)
{
	if (strncmp(line, "call ", 5) == 0) {
		p->call = nua_handle(p->nua, NULL, SIPTAG_TO_STR(line + 5), TAG_END());
		nua_invite(p->call, TAG_END());
	} else if (strcmp(line, "bye") == 0 && p->call) {
		nua_bye(p->call, TAG_END());
	} else if (strcmp(line, "quit") == 0) {
		nua_shutdown(p->nua);
	}
}

/* listen_to_user reads commands; it never waits for one. */
static void listen_to_user(phone *p, su_timer_t *timer, su_timer_arg_t *arg)
{
	char c;

	while (read(0, &c, 1) == 1) {
		if (c != '\n' && p->length < sizeof p->line - 1) {
			p->line[p->length++] = c;
			continue;
		}
		p->line[p->length] = 0;
		p->length = 0;
		obey(p, p->line);
	}
}

int main(int argc, char **argv)
{
	static phone p;
	char url[64], from[64], sdp[256];
	int port, refresher = nua_no_refresher;
	su_timer_t *timer;

	if (argc != 6) {
		fprintf(stderr, "usage: peer PORT INTERVAL MIN-SE no|local|remote UPDATE\n");
		return 2;
	}
	port = atoi(argv[1]);
	if (strcmp(argv[4], "local") == 0)
		refresher = nua_local_refresher;
	if (strcmp(argv[4], "remote") == 0)
		refresher = nua_remote_refresher;
	snprintf(url, sizeof url, "sip:127.0.0.1:%d", port);
	snprintf(from, sizeof from, "<sip:sofia@127.0.0.1:%d>", port);
	snprintf(sdp, sizeof sdp,
	         "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
	         "m=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n", port + 2);

	fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
	su_init();
	p.root = su_root_create(&p);
	p.nua = nua_create(p.root, on_event, &p,
	                   NUTAG_URL(url), TPTAG_LOG(1),
	                   NUTAG_SESSION_TIMER(atoi(argv[2])), NUTAG_MIN_SE(atoi(argv[3])),
	                   NUTAG_SESSION_REFRESHER(refresher), NUTAG_UPDATE_REFRESH(atoi(argv[5])),
	                   NUTAG_MEDIA_ENABLE(1), NUTAG_AUTOANSWER(1), NUTAG_AUTOACK(1),
	                   SOATAG_USER_SDP_STR(sdp), SOATAG_ADDRESS("127.0.0.1"),
	                   SIPTAG_FROM_STR(from), TAG_END());
	if (!p.nua) {
		fprintf(stderr, "cannot listen on %s\n", url);
		return 1;
	}
	fprintf(stderr, "ready\n");
	timer = su_timer_create(su_root_task(p.root), 50);
	su_timer_run(timer, listen_to_user, NULL);
	su_root_run(p.root);
	su_timer_destroy(timer);
	nua_destroy(p.nua);
	return 0;
}
